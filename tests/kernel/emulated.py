# SPDX-License-Identifier: GPL-2.0-only
"""What is done in a VM alone, for time: to wake a thread on another CPU takes milliseconds there.

A thread that touches and the handler that it waits for share a CPU, by turns this one and that. Threads that
race have all of them.
"""

import os
from collections.abc import Sequence
from itertools import count

from profiler.workload import run as workload
from profiler.workload.result import Result
from profiler.workload.run import Options

IN_VM = "UFFD_THROWAWAY" in os.environ
_turns = count()


def run(options: Options) -> Result:
    """As the profiler's own ``run``."""
    if not IN_VM or options.threads > 1 or options.noise:
        return workload.run(options)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_next(before)})
    try:
        return workload.run(options)
    finally:
        os.sched_setaffinity(0, before)


def on_one_cpu(command: Sequence[str]) -> list[str]:
    """A command that does not need more."""
    return ["taskset", "-c", str(_next(os.sched_getaffinity(0))), *command] if IN_VM else list(command)


def _next(cpus: set[int]) -> int:
    return sorted(cpus)[next(_turns) % len(cpus)]
