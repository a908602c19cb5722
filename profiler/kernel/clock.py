# SPDX-License-Identifier: GPL-2.0-only
"""What a nanosecond of this machine is: real time, or what an emulator makes of it."""

from pathlib import Path
from typing import Literal

Clock = Literal["hardware", "emulated", "instructions"]

INSTRUCTIONS_ARGUMENT = "uffd_profiler.clock=instructions"
"""On the kernel's command line: one nanosecond of the guest's clocks is one instruction of it
(``profiler/lab/qemu.py``). A name with a dot is taken for a module's parameter: no complaint."""

_EMULATED = "QEMU TCG CPU"  # target/i386/cpu.c in QEMU: the model name of -cpu max
_COMMAND_LINE = Path("/proc/cmdline")
_CPUS = Path("/proc/cpuinfo")


def clock(command_line: Path = _COMMAND_LINE, cpus: Path = _CPUS) -> Clock:
    """Which of the three it is; a file that cannot be read says nothing, and ``hardware`` is left."""
    if INSTRUCTIONS_ARGUMENT in _text(command_line).split():
        return "instructions"
    models = (line for line in _text(cpus).splitlines() if line.startswith("model name"))
    return "emulated" if any(_EMULATED in model for model in models) else "hardware"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
