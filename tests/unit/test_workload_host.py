# SPDX-License-Identifier: GPL-2.0-only
"""The Python side of the ground truth: building it, its options, its result, its command."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import pytest

from profiler.commands import workload
from profiler.errors import Exit, UserError
from profiler.workload import build
from profiler.workload.result import parse
from profiler.workload.run import Options, run


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    build.build()


def test_build_is_done_once(tmp_path: Path) -> None:
    binary = tmp_path / "libexec" / "workload"
    assert build.build(binary)
    made = binary.stat()
    assert not build.build(binary)
    assert binary.stat() == made
    assert sorted(path.name for path in binary.parent.iterdir()) == ["workload", "workload.sha256"]
    binary.with_name("workload.sha256").write_text("of other sources")
    assert build.build(binary)


def test_no_compiler_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cc-of-nowhere is not installed.*apt-get install gcc"):
        build.build(tmp_path / "workload", compiler="cc-of-nowhere")


def test_a_failing_compiler_leaves_the_old_program(tmp_path: Path) -> None:
    (tmp_path / "workload").write_text("old")
    with pytest.raises(UserError, match="false cannot compile the workload: no message"):
        build.build(tmp_path / "workload", compiler="false")
    assert [path.name for path in tmp_path.iterdir()] == ["workload"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write the workload") as caught:
        build.build(tmp_path / "file" / "workload")
    assert caught.value.code == Exit.OUTPUT


def test_a_workload_that_is_not_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BINARY", tmp_path / "none")
    with pytest.raises(UserError, match="run `make install`"):
        run(Options())


def test_options_leave_out_what_is_not_given() -> None:
    assert Options().argv() == ["--mode=none", "--access=read", "--pages=256", "--threads=1", "--timeout=120"]
    given = Options(same_page=True, gup="auto", delay_us=0, cold_file=Path("/a b"), seed=3).argv()
    assert {"--same-page", "--gup", "--delay-us=0", "--cold-file=/a b", "--seed=3"} <= set(given)
    assert "--gup=populate" in Options(gup="populate").argv()


def test_the_options_come_back() -> None:
    given = Options(
        mode="wp+missing", cache="half", pages=7, stride=2, order="random", seed=2**64 - 1, handlers=2
    )
    echoed = run(given).options
    assert echoed["mode"] == "missing+wp"
    assert echoed.keys() - {"gate"} == {field.name for field in dataclasses.fields(Options)}
    for name in ("cache", "pages", "stride", "order", "seed", "handlers"):
        assert echoed[name] == getattr(given, name)


def good() -> dict[str, object]:
    value: dict[str, object] = dataclasses.asdict(run(Options(pages=3)))
    return value


def test_a_result_goes_through_json() -> None:
    value = good()
    assert dataclasses.asdict(parse(json.dumps(value))) == value


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 1}, "version 1, not 2"),
        ({"touches": "3"}, "result.touches is '3'"),
        ({"touches": True}, "result.touches is True"),
        ({"touches": None}, "result.touches is None"),
        ({"more": 1}, "other fields than expected: ..more"),
        ({"threads": [{}]}, r"result.threads\[0\] has other fields"),
        ({"ioctls": {"COPY": {"ok": "no"}}}, "result.ioctls.COPY.ok is 'no'"),
        ({"messages": 3}, "result.messages has other fields"),
    ],
)
def test_a_result_of_another_layout_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(json.dumps(good() | change))


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"workload JSON|Expecting"):
        parse(text)


def command(*arguments: str) -> argparse.Namespace:
    top = argparse.ArgumentParser()
    commands = top.add_subparsers()
    workload.add_arguments(commands.add_parser(workload.NAME, help=workload.HELP))
    return top.parse_args([workload.NAME, *arguments])


@pytest.mark.parametrize(
    "arguments",
    [(), ("--help",), ("-h",), ("--pages", "5", "--gate"), ("--gup=populate",), ("x", "--version")],
)
def test_the_command_hands_everything_on(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, argv: became.append([str(program), *argv]))
    workload.run(command(*arguments))
    program = str(build.path())
    assert became == [[program, program, *arguments]]


def test_the_command_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "workload"
    broken.write_text("no program\n")
    broken.chmod(0o755)
    monkeypatch.setattr(build, "BINARY", broken)
    with pytest.raises(UserError, match="make install"):
        workload.run(command())


def test_build_as_a_program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert build.main() == 0
    assert "up to date" in capsys.readouterr().out
    monkeypatch.setenv("CC", "cc-of-nowhere")
    assert build.main() == Exit.USAGE
    assert "cc-of-nowhere is not installed" in capsys.readouterr().err
    assert sys.prefix in str(build.BINARY)
