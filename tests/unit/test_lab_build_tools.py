# SPDX-License-Identifier: GPL-2.0-only
"""What a build needs of the machine, and what it says while it lasts."""

import io
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.lab.build_tools import require_build_tools
from profiler.lab.progress import Progress

NOTE = "building lab:seed"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every tool, and gcc that finds every header but those in a file beside it."""
    for name in ("ld", "make", "patch", "bc", "bison", "flex", "pahole", "perl", "tar", "xz", "depmod"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "gcc").write_text(f'#!/bin/sh\n! /usr/bin/grep -qx "$3" {tmp_path}/absent\n')
    (tmp_path / "gcc").chmod(0o755)
    (tmp_path / "absent").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_with_all_tools_nothing_is_said(tools: Path) -> None:
    require_build_tools()


def test_all_that_is_missing_is_named_with_the_packages_once(tools: Path) -> None:
    for name in ("bc", "pahole", "xz"):
        (tools / name).unlink()
    (tools / "absent").write_text("libelf.h\n")
    with pytest.raises(
        UserError,
        match=r"needs bc, pahole, xz, libelf\.h, which are not here: "
        r"apt-get install bc pahole xz-utils libelf-dev$",
    ):
        require_build_tools()


def test_no_compiler_is_not_a_missing_header(tools: Path) -> None:
    (tools / "gcc").unlink()
    with pytest.raises(UserError, match=r"needs gcc, which is not here: apt-get install gcc$"):
        require_build_tools()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_each_step_in_one_line() -> None:
    with Progress(NOTE, stream := Terminal()) as progress:
        progress.say("1 steps done, now CC\tmm/memory.o")
        progress.say("x" * 5000)
    first, second, third, last = stream.getvalue().split("\r\x1b[K")
    assert (first, second, last) == (f"{NOTE}\n", "1 steps done, now CC mm/memory.o", "")
    assert set(third) == {"x"}
    assert len(third) < 5000


def test_elsewhere_one_line_is_all() -> None:
    with Progress(NOTE, stream := io.StringIO()) as progress:
        progress.say("step")
    assert stream.getvalue() == f"{NOTE}\n"
