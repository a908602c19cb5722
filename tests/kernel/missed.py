# SPDX-License-Identifier: GPL-2.0-only
"""What no test of counts may lose."""

from profiler.kernel.preemption import is_preemptible, preemption
from profiler.snapshot import Snapshot

PREEMPTIBLE = is_preemptible(preemption())
"""Newer kernels run the programs of raw tracepoints without disabling preemption (kernel/trace/bpf_trace.c,
__bpf_trace_run()): a thread that comes in between finds the program running on its CPU, and is left out."""


def left_out(seen: Snapshot) -> dict[str, int]:
    """Program → the runs that the kernel left out, where it did."""
    return {program: runs for program, runs in seen.recursion_misses.items() if runs}


def nothing_missed(seen: Snapshot) -> None:
    """No event was given up, and the kernel left out no run of a program."""
    missed = {cause: slot.count for (cause,), slot in seen.slots["missed"].items() if slot.count}
    missed.pop("swap_return_lost", None)  # swap/counted.py asks for it, test by test
    assert missed == {}, missed
    if not PREEMPTIBLE:  # there the test that suffered from it was run again: conftest.py
        assert left_out(seen) == {}, left_out(seen)
