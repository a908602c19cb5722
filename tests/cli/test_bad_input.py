# SPDX-License-Identifier: GPL-2.0-only
"""What a user can do wrong: one sentence, a documented exit code, and nothing left behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from profiler.errors import Exit
from profiler.target import NOT_EXECUTABLE, NOT_FOUND
from tests.bpf_objects import ids
from tests.cli.tool import REPORTED, TOOL, execute, run, sentence, start, until_attached

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaches to the kernel: run as root"),
]

# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("nonesuch",), "'nonesuch'"),
        (("--nonesuch",), "COMMAND"),
        (("profile", "--nonesuch"), "--nonesuch"),
        (("profile", "--nonesuch", "--", "true"), "--nonesuch"),
        (("doctor", "extra"), "extra"),
        (("doctor", "--best-way", "magic"), "'magic'"),
        (("check", "--policy", "nonesuch"), "'nonesuch'"),
        (("check", "--policy", "missing=maybe"), "missing=maybe"),
        (("profile", "--json"), "--json"),
        *(
            (("profile", option, value), f"'{value}'")
            for option in ("-d", "--interval")
            for value in ("0", "-1", "nan", "inf", "1e10", "abc", "")
        ),
        (("profile", "-p", "abc"), "'abc'"),
        (("profile", "-p", "1.5"), "'1.5'"),
        (("profile", "-p", ""), "''"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], named: str) -> None:
    done = run(*arguments)
    said = sentence(done, Exit.USAGE)
    assert named in said
    assert "--help`" in said
    assert done.stdout == ""


@pytest.mark.parametrize("pid", [0, -1, -4711, 1 << 22, (1 << 31) - 1, 1 << 31, 1 << 70])
def test_a_process_that_does_not_exist(pid: int) -> None:
    said = sentence(run("profile", "-p", pid), Exit.USAGE)
    assert f"PID {pid} " in said
    assert "`ps`" in said


def test_one_of_several_processes_does_not_exist() -> None:
    assert "PID 0 " in sentence(run("profile", "-p", os.getpid(), "-p", 0), Exit.USAGE)


def test_a_process_and_a_command() -> None:
    said = sentence(run("profile", "-p", os.getpid(), "--", "true"), Exit.USAGE)
    assert "-p" in said
    assert "COMMAND" in said


def test_both_reports_to_standard_output() -> None:
    said = sentence(run("profile", "--json", "-", "--html", "-", "--", "true"), Exit.USAGE)
    assert "--json" in said
    assert "--html" in said


def test_both_reports_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "both"
    said = sentence(run("profile", "--json", path, "--html", path, "--force", "--", "true"), Exit.USAGE)
    assert str(path) in said
    assert not path.exists()


# The command


def test_a_command_that_is_not_there() -> None:
    assert "'no-such-command'" in sentence(run("profile", "--", "no-such-command"), NOT_FOUND)


def test_a_command_that_may_not_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert str(script) in sentence(run("profile", "--", script), NOT_EXECUTABLE)
    assert str(tmp_path) in sentence(run("profile", "--", tmp_path), NOT_EXECUTABLE)


def test_a_command_that_the_kernel_cannot_execute(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x7fELFgarbage")
    script.chmod(0o755)
    output = tmp_path / "out.json"
    said = sentence(run("profile", "--json", output, "--", script), NOT_EXECUTABLE)
    assert str(script) in said
    assert "Exec format error" in said
    assert not output.exists()


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_the_exit_code_of_the_command_is_ours_and_reported(script: str, code: int) -> None:
    done = run("profile", "--", "sh", "-c", script)
    assert done.returncode == code
    assert done.stderr == ""
    assert REPORTED in done.stdout.lower()
    if code:
        assert str(code) in done.stdout.split("\n\n")[0]


def test_what_the_command_writes_stays_its_own() -> None:
    done = run("profile", "--json", "-", "--", "sh", "-c", "echo out >&2")
    assert done.stderr == "out\n"
    assert done.stdout.startswith("{")


# Processes that end


def test_a_process_that_dies_during_the_run() -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        profiler = start("profile", "-p", victim.pid)
        until_attached(profiler)
        victim.kill()
        victim.wait()
        said, errors = profiler.communicate(timeout=30)
    assert profiler.returncode == Exit.OK
    assert errors == ""
    assert str(victim.pid) in said
    assert REPORTED in said.lower()


# Ending early


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [(), ("-d", "60"), ("-p", str(os.getpid()))])
def test_a_signal_ends_early_and_reports(number: signal.Signals, arguments: tuple[str, ...]) -> None:
    profiler = start("profile", *arguments)
    until_attached(profiler)
    began = time.monotonic()
    profiler.send_signal(number)
    said, errors = profiler.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert (profiler.returncode, errors) == (Exit.OK, "")
    assert REPORTED in said.lower()


def test_a_terminals_ctrl_c_reaches_the_command_too() -> None:
    profiler = start("profile", "--", "sleep", "60", start_new_session=True)
    until_attached(profiler)
    os.killpg(profiler.pid, signal.SIGINT)
    said, errors = profiler.communicate(timeout=30)
    assert (profiler.returncode, errors) == (128 + signal.SIGINT, "")
    assert REPORTED in said.lower()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.5])
def test_a_signal_while_attaching(tmp_path: Path, number: signal.Signals, delay: float) -> None:
    """Either nothing was measured yet, and nothing stays; or the report is made."""
    made, output = tmp_path / "made", tmp_path / "out.json"
    profiler = start("profile", "--json", output, "--", "sh", "-c", f"touch {made}; sleep 1")
    deadline = time.monotonic() + 10
    while not output.exists():  # it is opened first of all
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(delay)
    profiler.send_signal(number)
    _, errors = profiler.communicate(timeout=30)
    assert "Traceback" not in errors
    if made.exists():
        assert profiler.returncode == Exit.OK
        assert output.read_text().startswith("{")
    else:
        assert profiler.returncode in (128 + number, Exit.OK)
        assert profiler.returncode == Exit.OK or not output.exists()


def test_a_killed_profiler_leaves_nothing(tmp_path: Path) -> None:
    profiler = start("profile", "-d", "60", start_new_session=True)
    until_attached(profiler)
    assert any(ids().values())
    profiler.kill()
    profiler.communicate(timeout=30)


# Outputs


def test_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    for option in ("--json", "--html"):
        said = sentence(run("profile", option, path, "--", "true"), Exit.OUTPUT)
        assert str(path) in said
        assert "--force" in said
        assert path.read_text() == "old"
    said = sentence(run("check", "--json", path), Exit.OUTPUT)
    assert str(path) in said
    assert path.read_text() == "old"


def test_force_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old" * 1_000_000)
    done = run("profile", "--json", path, "--force", "--", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text().rstrip().endswith("}")
    assert path.stat().st_size < 1_000_000


def test_a_run_that_fails_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    arguments = ("--force", "--json", old, "--html", new, "--", "no-such-command")
    sentence(run("profile", *arguments), NOT_FOUND)
    assert old.read_text() == "old"
    assert not new.exists()


@pytest.mark.parametrize("path", ["/no/such/folder/file", "/proc/file", ""])
def test_a_file_that_cannot_be_made(path: str) -> None:
    assert path in sentence(run("profile", "--json", path, "--", "true"), Exit.OUTPUT)
    assert path in sentence(run("check", "--json", path), Exit.OUTPUT)


def test_the_first_file_is_gone_when_the_second_cannot_be_made(tmp_path: Path) -> None:
    first = tmp_path / "first"
    sentence(run("profile", "--json", first, "--html", "/no/such/folder/file", "--", "true"), Exit.OUTPUT)
    assert not first.exists()


def test_a_full_disk() -> None:
    said = sentence(run("profile", "--json", "/dev/full", "--force", "--", "true"), Exit.OUTPUT)
    assert "/dev/full" in said
    assert "No space left" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("profile", "--", "true"),
        ("profile", "--json", "-", "--", "true"),
        ("profile", "--html", "-", "--", "true"),
        ("doctor",),
        ("--help",),
        ("profile", "--help"),
        ("--version",),
    ],
    ids=" ".join,
)
class TestStandardOutput:
    def test_on_a_full_disk(self, arguments: tuple[str, ...]) -> None:
        with open("/dev/full", "w") as full:
            said = sentence(run(*arguments, stdout=full), Exit.OUTPUT)
        assert "standard output" in said
        assert "No space left" in said

    def test_whose_reader_went_away(self, arguments: tuple[str, ...]) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            done = run(*arguments, stdout=pipe)
        assert done.stderr == ""
        assert done.returncode == Exit.OUTPUT

    def test_that_is_read_in_part(self, arguments: tuple[str, ...]) -> None:
        quoted = " ".join(map(str, arguments))
        done = execute(["bash", "-c", f"{TOOL} {quoted} | head -c1; echo ${{PIPESTATUS[0]}} >&2"])
        assert len(done.stdout) == 1
        # Small output is in the pipe before its reader is gone.
        assert done.stderr in ("0\n", f"{int(Exit.OUTPUT)}\n")

    def test_that_is_closed(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        done = execute(["sh", "-c", 'exec "$@" >&-', "sh", TOOL, *arguments])
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, Exit.OUTPUT)
        if arguments[0] == "profile" and "--help" not in arguments:
            assert "standard output" in sentence(done, Exit.OUTPUT)


def test_all_standard_descriptors_closed(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    script = 'exec "$@" <&- >&- 2>&-'
    done = execute(
        ["sh", "-c", script, "sh", TOOL, "profile", "--json", path, "--", "sh", "-c", "echo x; echo y >&2"]
    )
    # The text report has no place to go.
    assert done.returncode == Exit.OUTPUT
    assert path.read_text().startswith("{")
    assert path.read_text().rstrip().endswith("}")
