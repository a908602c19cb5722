# SPDX-License-Identifier: GPL-2.0-only
"""What a nanosecond is, from what the kernel and the processor say."""

from pathlib import Path

import pytest

from profiler.kernel.clock import INSTRUCTIONS_ARGUMENT, clock
from profiler.lab.image import Kernel
from profiler.lab.qemu import command_line

REAL = "processor\t: 0\nmodel name\t: Some Processor @ 3GHz\nflags\t: fpu QEMU TCG CPU\n"
EMULATED = "processor\t: 0\nmodel name\t: QEMU TCG CPU version 2.5+\n"


@pytest.mark.parametrize(
    ("arguments", "processors", "expected"),
    [
        ("quiet", REAL, "hardware"),
        ("quiet", EMULATED, "emulated"),
        (f"quiet {INSTRUCTIONS_ARGUMENT} ro", EMULATED, "instructions"),
        (f"x{INSTRUCTIONS_ARGUMENT}", REAL, "hardware"),
    ],
)
def test_the_clock_is_told_apart(tmp_path: Path, arguments: str, processors: str, expected: str) -> None:
    (tmp_path / "cmdline").write_text(arguments + "\n")
    (tmp_path / "cpuinfo").write_text(processors)
    assert clock(tmp_path / "cmdline", tmp_path / "cpuinfo") == expected


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    assert clock(tmp_path / "no", tmp_path / "no") == "hardware"


@pytest.mark.parametrize("instructions", [True, False])
def test_a_guest_that_counts_instructions_is_told_so(instructions: bool) -> None:
    words = command_line(Kernel(Path("k"), "r", None), "1G", 1, 3, 4, 5, instructions=instructions)
    assert (INSTRUCTIONS_ARGUMENT in words[words.index("-append") + 1].split()) is instructions
    assert ("-icount" in words) is instructions
