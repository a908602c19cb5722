# SPDX-License-Identifier: GPL-2.0-only
"""Log lines: one for each record, in either format, whatever a client sends."""

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiler.service import log
from tests.service.serving import read_answer, serving, until

LOGGERS = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "test")
Setup = Callable[[str, str], tuple[log.CountingHandler, io.StringIO]]


@pytest.fixture
def setup() -> Iterator[Setup]:
    """``log.setup``, undone after the test; pytest's own handlers are put back."""
    before = {name: vars(logging.getLogger(name)).copy() for name in LOGGERS}
    lists = {name: (list(one["handlers"]), list(one["filters"])) for name, one in before.items()}

    def run(level: str, style: str) -> tuple[log.CountingHandler, io.StringIO]:
        out = io.StringIO()
        return log.setup(level, style, out), out

    yield run
    for name, (handlers, filters) in lists.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.filters = handlers, filters
        logger.propagate = before[name]["propagate"]
        logger.setLevel(before[name]["level"])


def record(message: str, *args: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("test", level, "", 0, message, args, None)
    vars(made).update(extra)
    return made


def test_logfmt() -> None:
    made = record("%s has %d", "it", 2, fields={"address": "127.0.0.1:1", "why": 'a "b"', "none": "", "n": 3})
    made.created = 1_700_000_000.25
    assert log.LogfmtFormatter().format(made) == (
        'time=2023-11-14T22:13:20.250Z level=info source=test msg="it has 2" address=127.0.0.1:1'
        ' why="a \\"b\\"" none="" n=3'
    )


def test_json() -> None:
    made = record("%s has %d", "it", 2, fields={"why": 'a "b"'})
    made.created = 1_700_000_000.25
    assert json.loads(log.JsonFormatter().format(made)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "source": "test",
        "msg": "it has 2",
        "why": 'a "b"',
    }


def test_the_time_is_in_utc() -> None:
    found = re.search(r"time=(\S+)Z ", log.LogfmtFormatter().format(record("x")))
    assert found
    assert abs(datetime.fromisoformat(found[1] + "+00:00") - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("formatter", [log.LogfmtFormatter(), log.JsonFormatter()], ids=["logfmt", "json"])
@example(text="\r\n\x00\x1b[2J\x7f\x9b\u2028\u202e\ud800")
@given(text=st.text())
def test_any_text_is_one_line_of_printable_ascii(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record("%s", text, fields={"field": text}))
    assert re.fullmatch(r"[ -~]+", line)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_read_back(text: str) -> None:
    written = json.loads(log.JsonFormatter().format(record("%s", "x", fields={"field": text})))
    assert written["field"] == text
    line = log.LogfmtFormatter().format(record("%s", "x", fields={"field": text}))
    value = line.partition(" field=")[2]
    assert (json.loads(value) if value.startswith('"') else value) == text


def test_an_exception_is_one_line() -> None:
    try:
        raise ValueError("first\nlevel=error msg=forged")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    line = log.LogfmtFormatter().format(made)
    assert "\n" not in line
    assert "ValueError: first\\nlevel=error" in line


@pytest.mark.parametrize("level", log.LEVELS)
def test_levels_below_the_chosen_one_are_not_written_and_all_written_are_counted(
    setup: Setup, level: str
) -> None:
    handler, out = setup(level, "logfmt")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logging.getLogger("test").log(number, "x")
    names = list(log.LEVELS)
    written = re.findall(r"level=(\w+)", out.getvalue())
    expected = [*names[names.index(level) :], "error"]
    assert written == expected
    assert handler.counts() == {name: expected.count(name) for name in names}


def test_counts_are_there_from_the_start(setup: Setup) -> None:
    handler, _ = setup("info", "logfmt")
    assert handler.counts() == {"debug": 0, "info": 0, "warn": 0, "error": 0}


def test_a_log_that_cannot_be_written_is_counted_and_nothing_else(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, out = setup("info", "logfmt")
    out.close()
    logging.getLogger("test").error("x")
    assert handler.counts()["error"] == 1
    assert capsys.readouterr() == ("", "")


def test_set_up_twice_writes_once(setup: Setup) -> None:
    setup("info", "logfmt")
    _, out = setup("debug", "json")
    logging.getLogger("uvicorn.error").info("x")
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("style", log.FORMATS)
def test_a_request_cannot_forge_a_line(setup: Setup, style: str) -> None:
    _, out = setup("debug", style)
    forged = b"/%0alevel=error%20msg=forged%0d%1b[2J%e2%80%ae%c2%9b?a=%0ab"
    with serving() as server, server.connect() as connection:
        connection.sendall(b"GET " + forged + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        read_answer(connection)
        until(lambda: "uvicorn.access" in out.getvalue(), "the request was logged")
    lines = out.getvalue().splitlines()
    start = '{"time":' if style == "json" else "time="
    assert all(line.startswith(start) and re.fullmatch(r"[ -~]+", line) for line in lines)
    (access,) = [line for line in lines if "uvicorn.access" in line]
    assert "debug" in access


@pytest.mark.parametrize("request_bytes", [b"rubbish\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_client_causes_no_line_at_info(setup: Setup, request_bytes: bytes) -> None:
    handler, out = setup("info", "logfmt")
    with serving() as server:
        until(lambda: "Started server process" in out.getvalue(), "uvicorn's own messages arrive")
        before = out.getvalue()
        with server.connect() as connection:
            connection.sendall(request_bytes)
            read_answer(connection)
        assert out.getvalue() == before
        assert handler.counts()["warn"] == 0
