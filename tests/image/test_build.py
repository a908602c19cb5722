# SPDX-License-Identifier: GPL-2.0-only
"""What executes the Dockerfile does what an engine would, and fails where it would."""

import subprocess
from pathlib import Path

import pytest

from tests.image.build import Image, StepError
from tests.image.conftest import Bench
from tests.image.context import make_context
from tests.image.instructions import UnsupportedError, expand, parse, seconds

EVERYTHING = r"""
ARG BASE={base}
FROM ${{BASE}} AS first
ARG WHO=world
ARG BASE
ENV GREETING="hello  ${{WHO}}" PATH=/made:$PATH
WORKDIR /made
WORKDIR by
RUN echo "$GREETING" \
    # a comment within
    > greeting && id -u > uid && grep -i -e ^CapBnd -e ^NoNewPrivs /proc/self/status > rights
RUN ["/bin/sh", "-c", "echo $$ > pid; ls /proc | grep -c '^[0-9]' > processes"]
USER nobody
RUN id -u > /tmp/uid; id -G > /tmp/gids; if touch /made/refused; then exit 1; fi
RUN test "$BASE" = {base}

FROM ${{BASE}}
COPY --from=first /made/by/greeting /tmp/uid copied/
COPY kept renamed
COPY folder /folder
RUN test -z "$GREETING" && test "$PWD" = / && test ! -e /made
HEALTHCHECK --interval=1m30s --timeout=500ms CMD exit 0
"""


def test_instructions_do_what_an_engine_would_do(bench: Bench, tmp_path: Path) -> None:
    repository, context = tmp_path / "repository", tmp_path / "context"
    (repository / "folder" / "deeper").mkdir(parents=True)
    context.mkdir()
    (repository / "kept").write_text("kept")
    (repository / "folder" / "deeper" / "program").write_text("program")
    (repository / "folder" / "deeper" / "program").chmod(0o755)
    (repository / "folder" / "junk.pyc").write_text("junk")
    (repository / "secret").write_text("secret")
    (repository / ".dockerignore").write_text("# none but these\n*\n!kept\n!folder\n**/*.pyc\n")
    _git_init(repository)
    make_context(repository, context)
    assert sorted(str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()) == [
        ".dockerignore",
        "folder/deeper/program",
        "kept",
    ]
    with bench.builder(context) as builder:
        image = builder.build(EVERYTHING.format(base=bench.reference))
        _check_first(builder.stage("first"))
        _check_last(image)
    assert not (bench.base / "made").exists()


def _check_first(first: Image) -> None:
    made = first.root / "made" / "by"
    assert (made / "greeting").read_text() == "hello  world\n"
    assert (made / "uid").read_text() == "0\n"
    assert (made / "rights").read_text().split() == ["CapBnd:", "00000000a80425fb", "NoNewPrivs:", "1"]
    # The first process of a namespace of its own, beside bubblewrap's.
    assert int((made / "processes").read_text()) < 6
    assert (first.root / "tmp/gids").read_text() == "65534\n"
    assert first.environment["PATH"].startswith("/made:/usr/local/sbin:")


def _check_last(image: Image) -> None:
    assert (image.root / "copied/uid").read_text() == "65534\n"
    assert (image.root / "copied/uid").owner() == "root"
    assert (image.root / "renamed").read_text() == "kept"
    assert (image.root / "folder/deeper/program").stat().st_mode & 0o777 == 0o755
    assert image.healthcheck
    assert image.healthcheck.command == ("/bin/sh", "-c", "exit 0")
    assert (image.healthcheck.interval, image.healthcheck.timeout) == (90.0, 0.5)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "RUN echo to standard output; echo to standard error >&2; exit 7",
            ("output", "error", "code 7", "line 2"),
        ),
        ("RUN true && false && true", ("exit code 1",)),
        ("COPY nosuchfile /", ("nosuchfile is not there",)),
        ("RUN apt-get install -y nosuchpackage", ("Unable to locate package nosuchpackage",)),
    ],
    ids=["a command fails", "one of several fails", "nothing to copy", "no such package"],
)
def test_a_step_that_fails_ends_the_build_with_its_output(
    bench: Bench, steps: str, said: tuple[str, ...]
) -> None:
    with bench.builder() as builder, pytest.raises(StepError) as failure:
        builder.build(f"FROM {bench.reference}\n{steps}\nRUN touch /after")
    assert all(words in str(failure.value) for words in said), failure.value


@pytest.mark.parametrize(
    "steps",
    [
        "ADD kept /",
        "RUN --mount=type=secret,id=x true",
        "COPY --chmod=0777 kept /",
        "RUN <<END\ntrue\nEND",
        "VOLUME /data",
        "NOSUCH instruction",
        "COPY --from=nosuchstage /a /b",
    ],
)
def test_what_is_not_understood_is_refused(bench: Bench, steps: str) -> None:
    with bench.builder() as builder, pytest.raises(UnsupportedError):
        builder.build(f"FROM {bench.reference}\n{steps}\n")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$A/$B", "a/"),
        ("${A}b", "ab"),
        ("${B:-other}${A:-other}", "othera"),
        ("${A:+set}${B:+set}", "set"),
        ('"two  $A"', "two  a"),
        ("'$A'", "$A"),
        (r"\$A", "$A"),
    ],
)
def test_variables_are_replaced(word: str, value: str) -> None:
    assert expand(word, {"A": "a"}) == value


def test_a_duration_is_read_in_full() -> None:
    assert seconds("1h1m1s500ms") == 3661.5
    with pytest.raises(UnsupportedError):
        seconds("1 minute")


def test_arguments_before_the_first_stage_are_seen_by_from() -> None:
    outer, stages = parse("ARG A=debian\nARG B=$A:12\nFROM ${B} AS One\nRUN true\nFROM one\n")
    assert outer == {"A": "debian", "B": "debian:12"}
    assert [(stage.base, stage.name) for stage in stages] == [("debian:12", "one"), ("one", "1")]


def test_a_user_is_looked_up_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nserver:x:7:8::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nothers:x:9:\n")
    users = {
        "": (0, 0),
        "server": (7, 8),
        "7": (7, 8),
        "server:others": (7, 9),
        "12": (12, 0),
        "12:13": (12, 13),
    }
    assert {user: Image(tmp_path, user=user).ids() for user in users} == users
    with pytest.raises(KeyError):
        Image(tmp_path, user="nosuchuser").ids()


def _git_init(repository: Path) -> None:
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
