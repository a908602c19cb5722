# SPDX-License-Identifier: GPL-2.0-only
"""Clients that send slowly, too much, or nonsense: what each can hold of a real server is bounded."""

import gc
import logging
import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from profiler.service.limits import Limits
from tests.service.clients import GET, HASTY, MIB, is_forgotten
from tests.service.serving import Answer, Serving, read_answer, read_to_end, serving, until


def resident() -> int:
    """Bytes of this process, which is the server's too."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def trickle(server: Serving, first: bytes, rest: bytes) -> Answer | None:
    """Send *first*, then *rest* again and again; the answer, None for a closed connection."""
    with server.connect() as connection:
        started = time.monotonic()
        connection.sendall(first)
        connection.settimeout(0.05)
        found = b""
        while time.monotonic() - started < 20:
            try:
                connection.sendall(rest)
                chunk = connection.recv(65536)
                found += chunk
                if not chunk:
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("still connected after 20 s")
    if not found:
        return None
    head, _, body = found.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return Answer(int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (b"G", b"E"),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (GET + GET[:10], b"a"),
        (GET + b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
    ],
    ids=["headers", "method", "body", "chunks", "second request", "second request's body"],
)
def test_a_request_that_trickles_is_told_408_and_cut_off(first: bytes, rest: bytes) -> None:
    with serving(limits=HASTY) as server:
        answer = trickle(server, first, rest)
        assert answer
        if first.startswith(GET):
            assert answer.status == 200
            assert b"HTTP/1.1 408 " in answer.body
        else:
            assert answer.status == 408
            assert b"was not complete after 0.6 s" in answer.body
        until(lambda: is_forgotten(server), "nothing is left of it")


def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    with serving(limits=HASTY) as server:
        with server.connect() as connection:
            assert read_to_end(connection) == b""
        until(lambda: is_forgotten(server), "nothing is left of it")


def test_a_kept_connection_is_closed_when_idle_and_not_before() -> None:
    with serving(limits=HASTY) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert read_answer(connection).status == 200
            # Longer than a request may take: idling between two is no part of one.
            time.sleep(0.75)
        assert read_to_end(connection) == b""


def test_a_second_request_that_stops_is_cut_off_too() -> None:
    with serving(limits=HASTY) as server, server.connect() as connection:
        connection.sendall(GET + b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert [read_answer(connection).status for _ in range(2)] == [200, 408]


def test_a_body_never_finished_ends_an_answered_request_too() -> None:
    """The application does not read it; the answer is complete, and the rest of the body never is."""
    with serving(limits=HASTY) as server:
        answer = trickle(
            server, b"POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"
        )
        assert answer
        assert answer.status == 200
        until(lambda: is_forgotten(server), "nothing is left of it")


@pytest.mark.parametrize("form", ["one header", "many headers", "request line", "no end of line"])
def test_10_mb_of_headers_are_refused_without_growing(form: str) -> None:
    junk = b"a" * MIB
    piece = {
        "one header": b"X: " + junk,
        "many headers": b"X: a\r\n" * (MIB // 6),
        "request line": junk,
        "no end of line": junk,
    }[form]
    first = {"request line": b"GET /", "no end of line": b""}.get(form, b"GET / HTTP/1.1\r\nHost: a\r\n")
    with serving(limits=Limits(linger_seconds=10)) as server:
        assert server.get().status == 200
        gc.collect()
        before = resident()
        with ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(8)]
            for connection in connections:
                connection.sendall(first)
            most = before
            for _ in range(10):
                for connection in connections:
                    connection.sendall(piece)
                    most = max(most, resident())
            answers = [read_answer(connection) for connection in connections]
        for answer in answers:
            # A method or target of this length is no request line either.
            assert answer.status == 431
            assert "16384 bytes" in answer.problem()["detail"]
        assert server.seen == ["/"]
        # 80 MiB were sent; asyncio reads 256 KiB at a time.
        assert most - before < 8 * MIB
        until(lambda: is_forgotten(server), "nothing is left of them")


def test_headers_that_come_in_one_packet_are_refused_too() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
        assert read_answer(connection).status == 431
        assert server.seen == []


def test_a_client_that_never_stops_is_cut_off() -> None:
    limits = Limits(linger_seconds=60)
    with serving(limits=limits) as server, server.connect() as connection, pytest.raises(ConnectionError):
        for _ in range(500):
            connection.sendall(b"a" * MIB)


@pytest.mark.parametrize("size", [65_536, 65_537, 10 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("wait_for_100", [False, True])
def test_a_body_is_bounded(size: int, chunked: bool, wait_for_100: bool) -> None:
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    expect = "Expect: 100-continue\r\n" if wait_for_100 else ""
    with serving(limits=Limits(linger_seconds=10)) as server, server.connect() as connection:
        connection.sendall(f"POST /body HTTP/1.1\r\nHost: a\r\n{expect}{how}\r\n\r\n".encode())
        if chunked:
            connection.sendall(b"%x\r\n" % size)
        connection.sendall(b"x" * size)
        if chunked:
            connection.sendall(b"\r\n0\r\n\r\n")
        answer = read_answer(connection)
        if size <= 65_536:
            assert (answer.status, answer.body) == (200, b'{"length":%d}' % size)
        else:
            assert answer.status == 413
            assert "65536 bytes" in answer.problem()["detail"]
            assert answer.headers["connection"] == "close"


def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n")
        assert read_answer(connection).status == 413


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"rubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"\r\n",
    ],
)
def test_what_is_no_request_is_told_400(request_bytes: bytes) -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(request_bytes)
        answer = read_answer(connection)
        assert answer.status == 400
        assert answer.problem()["title"] == "Bad Request"
        assert read_to_end(connection) == b""


def test_a_broken_body_after_the_answer_began_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        connection.sendall(b"zz\r\n")
        read_to_end(connection)
        until(lambda: is_forgotten(server), "nothing is left of it")
    assert "Traceback" not in caplog.text
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_an_upgrade_is_ignored_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, server.connect() as connection:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
        connection.sendall(head + b"websocket\r\n\r\n")
        assert read_answer(connection).status == 200
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_two_requests_at_once_are_both_answered() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(GET + GET)
        answers = b""
        # Both may come in one piece.
        while answers.count(b"HTTP/1.1 200 ") < 2:
            piece = connection.recv(1 << 16)
            assert piece, answers
            answers += piece


def test_requests_sent_far_ahead_are_cut_off() -> None:
    """At once, not when the answers that it does not read have filled every buffer."""
    with serving(limits=Limits(write_seconds=120)) as server, server.connect() as connection:
        with pytest.raises(ConnectionError):
            for _ in range(100):
                connection.sendall(GET * 40_000)
        until(lambda: is_forgotten(server), "nothing is left of it")
