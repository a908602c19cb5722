# SPDX-License-Identifier: GPL-2.0-only
"""The installed command, run as a user would."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
TOOL = BIN / "uffd-profiler"
ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
REPORTED = "hooks:"
"""Stands in every text report."""


def run(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    return execute([TOOL, *arguments], **options)


def execute(argv: Sequence[object], **options: object) -> "subprocess.CompletedProcess[str]":
    # Buffered output, as users have it: what fails may fail as late as at the end of the interpreter.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    defaults = {
        "env": environment,
        "capture_output": True,
        "timeout": 60,
        "text": True,
        "cwd": ROOT,
        "check": False,
    }
    if "stdout" in options or "stderr" in options:
        del defaults["capture_output"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([str(part) for part in argv], **(defaults | options))  # type: ignore[call-overload,no-any-return]


def sentence(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a failure consists of."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("uffd-profiler")
    assert lines[0].endswith(".")
    assert "Traceback" not in done.stderr
    return lines[0]


def python(source: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """The command in an interpreter that something was done to before."""
    end = "import sys; from profiler.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return execute([BIN / "python", "-c", f"{source}\n{end}", *arguments], **options)


def start(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    pipes: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    argv = [str(part) for part in (TOOL, *arguments)]
    return subprocess.Popen(argv, text=True, cwd=ROOT, **(pipes | options))  # type: ignore[call-overload,no-any-return]


def uid(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    raise AssertionError


def until_attached(profiler: "subprocess.Popen[str]") -> None:
    """It gives its privileges up once it is attached."""
    deadline = time.monotonic() + 30
    while uid(profiler.pid) != NOBODY:
        assert profiler.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
