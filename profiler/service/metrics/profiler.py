# SPDX-License-Identifier: GPL-2.0-only
"""The profiler itself: its hooks, what it missed, what it costs."""

import platform
from collections.abc import Iterator, Mapping

from prometheus_client import Metric

from ... import __version__
from ...reports.sections.health import hook_of
from ...slots import MISSED
from ..health import Health
from ..live import Moment
from .series import counter, gauge, single

HOOK_OF_CAUSE = {
    "threads_full": "fault",
    "processes_full": "process",
    "waiting_full": "userfault",
    "vma_unknown": "read_fault",
    "return_lost": "fault",
    "ioctl_return_lost": "resolve",
    "swap_return_lost": "swap_entry",
}
"""Cause of a missed event → the hook whose event it was; ``missed`` in profiler/slots.py."""


def build_info() -> Metric:
    """Known from the start, attached or not."""
    return gauge(
        "uffd_profiler_build_info",
        "The version of uffd-profiler, and of the Python that runs it.",
        ("version", "python"),
        [((__version__, platform.python_version()), 1)],
    )


def hooks(moment: Moment, health: Health) -> Iterator[Metric]:
    """The plan, whether it still stands, and what went by unseen."""
    alive = {one.hook.name: one.alive is not False for one in health.hooks}
    yield gauge(
        "uffd_profiler_hook_attached",
        "1 where a hook is attached, by the way it took; 0 where it has none or has died.",
        ("hook", "way"),
        (
            ((hook.name, hook.way), float(hook.way != "none" and alive.get(hook.name, True)))
            for hook in moment.plan.hooks
        ),
    )
    missed = {
        (HOOK_OF_CAUSE[cause], cause): moment.total.total("missed", cause=cause).count for cause in MISSED
    }
    for program, count in moment.total.recursion_misses.items():
        if count is not None:
            key = (hook_of(moment.plan, program), "recursion")
            missed[key] = missed.get(key, 0) + count
    yield counter(
        "uffd_profiler_missed_events",
        "Events that were not counted: a full table, an unknown VMA, a lost return, or recursion, in which "
        "the kernel leaves out a BPF program (recursion_misses).",
        ("hook", "reason"),
        missed.items(),
    )
    yield single(
        "uffd_profiler_attach_duration_seconds",
        "From the start of the program to everything attached.",
        moment.attach_ns / 1e9,
    )
    attached_at = moment.total.monotonic_ns - moment.total.duration_ns + moment.unix_offset_ns
    yield single(
        "uffd_profiler_attached_timestamp_seconds",
        "When everything was attached: the counters start here.",
        attached_at / 1e9,
    )


def overhead(moment: Moment) -> Iterator[Metric]:
    """The kernel's own account of our programs (run_cnt, run_time_ns); absent while it keeps none."""
    if moment.runs is None:
        return
    runs: Mapping[str, tuple[int, int]] = moment.runs
    yield counter(
        "uffd_profiler_overhead_program_seconds",
        "Time inside each BPF program of ours (run_time_ns).",
        ("program",),
        (((name,), ns / 1e9) for name, (_, ns) in runs.items()),
    )
    yield counter(
        "uffd_profiler_overhead_program_runs",
        "Runs of each BPF program of ours (run_cnt).",
        ("program",),
        (((name,), count) for name, (count, _) in runs.items()),
    )


def log_messages(by_level: Mapping[str, int]) -> Metric:
    """Beside each line of the log, a count."""
    return counter(
        "uffd_profiler_log_messages",
        "Messages logged, by level.",
        ("level",),
        (((level,), count) for level, count in by_level.items()),
    )
