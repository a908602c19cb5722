# SPDX-License-Identifier: GPL-2.0-only
"""What the profiler itself costs."""

import resource
import time
from dataclasses import dataclass
from pathlib import Path

from ..reports.sections.health import hook_of
from .live import Moment

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Program:
    """A BPF program: how often it ran, and the seconds in it."""

    name: str
    hook: str
    runs: int
    seconds: float


@dataclass(frozen=True)
class Cost:
    """``programs``: ``None`` while run statistics are off. ``cpu_seconds``: of this process, which serves.

    ``since_seconds``: time since attached, of which the programs' seconds are a part.
    """

    programs: tuple[Program, ...] | None
    cpu_seconds: float
    resident_bytes: int
    since_seconds: float


def cost(moment: Moment) -> Cost:
    """Of now."""
    programs = None
    if moment.runs is not None:
        programs = tuple(
            Program(name, hook_of(moment.plan, name), runs, ns / 1e9)
            for name, (runs, ns) in moment.runs.items()
        )
    return Cost(
        programs,
        time.process_time(),
        # fs/proc/array.c: proc_pid_statm, the second figure is resident pages
        int(_STATM.read_text().split()[1]) * resource.getpagesize(),
        moment.total.duration_ns / 1e9,
    )
