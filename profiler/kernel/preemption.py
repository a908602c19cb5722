# SPDX-License-Identifier: GPL-2.0-only
"""Whether this kernel takes the CPU away from code of its own."""

import os
import re
from pathlib import Path

_DEBUGFS = Path("/sys/kernel/debug/sched/preempt")
_COMMAND_LINE = Path("/proc/cmdline")
_COOPERATIVE = ("none", "voluntary")


def preemption(
    debugfs: Path = _DEBUGFS, command_line: Path = _COMMAND_LINE, version: str | None = None
) -> str:
    """``none``, ``voluntary``, ``full``, ``lazy``, or ``unknown``.

    Where the model can be chosen at boot (``PREEMPT_DYNAMIC``, kernel/sched/core.c) debugfs tells it, and
    without debugfs ``preempt=`` does if it is there. Elsewhere ``uname -v`` names what was compiled in
    (init/Makefile).

    :param version: what ``uname -v`` says; default: this kernel's.
    """
    words = (os.uname().version if version is None else version).split()
    if "PREEMPT_DYNAMIC" in words:
        chosen = re.search(r"\((\w+)\)", _text(debugfs)) or re.search(r"\bpreempt=(\w+)", _text(command_line))
        return chosen[1] if chosen else "unknown"
    if "PREEMPT_LAZY" in words:
        return "lazy"
    # Of none and voluntary the version says nothing: both are cooperative.
    return "full" if {"PREEMPT", "PREEMPT_RT"} & set(words) else "none"


def is_preemptible(model: str) -> bool:
    """Whether kernel code can be preempted under that model; if it is not known, it may."""
    return model not in _COOPERATIVE


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
