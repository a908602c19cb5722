# SPDX-License-Identifier: GPL-2.0-only
"""A command runs when it is let go, and not before; its end is told as a shell tells it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.target import NOT_EXECUTABLE, NOT_FOUND, HeldCommand, watch


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def finish(command: HeldCommand) -> int:
    code = command.reap()
    os.close(command.pidfd)
    return code


def test_nothing_runs_before_it_is_released(tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = HeldCommand(["touch", str(made)])
    time.sleep(0.05)
    assert not made.exists()
    assert command.exit_code is None
    command.release()
    assert finish(command) == 0
    assert made.exists()


def test_an_abandoned_command_never_runs(tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = HeldCommand(["touch", str(made)])
    command.abandon()
    assert not made.exists()
    with pytest.raises(ChildProcessError):
        os.waitpid(command.pid, os.WNOHANG)
    os.close(command.pidfd)


def test_a_profiler_that_dies_takes_the_command_with_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    source = (
        "import os, sys; from profiler.target import HeldCommand; "
        f"c = HeldCommand(['touch', {str(made)!r}]); print(c.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    held = int(said.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{held}").exists() and "\nState:\tZ" not in Path(f"/proc/{held}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not made.exists()


@pytest.mark.parametrize(("argv", "code"), [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 77"], 77)])
def test_the_exit_code(argv: list[str], code: int) -> None:
    command = HeldCommand(argv)
    command.release()
    assert finish(command) == code == command.exit_code
    assert command.reap() == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGPIPE])
def test_a_signal_is_128_more(number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGPIPE too: whatever the profiler does with them, the command does not inherit."""
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        command = HeldCommand(["sh", "-c", f"kill -{int(number)} $$"])
    finally:
        signal.signal(signal.SIGTERM, previous)
    command.release()
    assert finish(command) == 128 + number


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(UserError, match="'no-such-command' was not found") as caught:
        HeldCommand(["no-such-command"])
    assert caught.value.code == NOT_FOUND == 127


def test_a_command_that_may_not_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match="no execute permission") as caught:
        HeldCommand([str(script)])
    assert caught.value.code == NOT_EXECUTABLE == 126
    assert str(script) in str(caught.value)


def test_a_folder_is_no_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory") as caught:
        HeldCommand([str(tmp_path)])
    assert caught.value.code == NOT_EXECUTABLE


@pytest.mark.parametrize("content", [b"", b"\x7fELFgarbage", b"#!/no/such/interpreter\n"])
def test_a_file_that_the_kernel_cannot_execute(tmp_path: Path, content: bytes) -> None:
    script = tmp_path / "script"
    script.write_bytes(content)
    script.chmod(0o755)
    command = HeldCommand([str(script)])
    with pytest.raises(UserError, match="cannot be executed") as caught:
        command.release()
    assert caught.value.code == NOT_EXECUTABLE
    assert str(script) in str(caught.value)
    assert command.exit_code == NOT_EXECUTABLE
    os.close(command.pidfd)


@pytest.mark.parametrize("name", ["", "\0", "a\0b"])
def test_a_name_that_no_command_can_have(name: str) -> None:
    with pytest.raises(UserError):
        HeldCommand([name])


def test_the_command_inherits_no_descriptor_of_ours(tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    argv = ["sh", "-c", f"ls /proc/$$/fd > {listing}"]
    subprocess.run(argv, check=True, close_fds=False)
    without = listing.read_text()
    command = HeldCommand(argv)
    command.release()
    assert finish(command) == 0
    assert listing.read_text() == without


def _tidy(body: Callable[[], None]) -> None:
    before = open_fds()
    body()
    assert open_fds() == before


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def runs() -> None:
        command = HeldCommand(["true"])
        command.release()
        finish(command)

    def abandoned() -> None:
        command = HeldCommand(["true"])
        command.abandon()
        os.close(command.pidfd)

    def missing() -> None:
        with pytest.raises(UserError):
            HeldCommand(["no-such-command"])

    for body in (runs, abandoned, missing):
        _tidy(body)


def test_watching_a_process_that_ends() -> None:
    import select

    child = subprocess.Popen(["sleep", "60"])
    (fd,) = watch([child.pid])
    assert select.select([fd], [], [], 0)[0] == []
    child.kill()
    assert select.select([fd], [], [], 10)[0] == [fd]
    child.wait()
    os.close(fd)


@pytest.mark.parametrize("pid", [0, -1, 1 << 30, 1 << 40])
def test_a_process_that_cannot_be(pid: int) -> None:
    before = open_fds()
    with pytest.raises(UserError, match=f"no process with PID {pid} ") as caught:
        watch([os.getpid(), pid])
    assert caught.value.code == 2
    assert "\n" not in str(caught.value)
    assert open_fds() == before
