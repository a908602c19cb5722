# SPDX-License-Identifier: GPL-2.0-only
"""The profiler itself: does it see everything, and what does it cost?"""

from ..panels import (
    BYTES,
    COUNTS_PER_SECOND,
    NUMBER,
    SECONDS,
    SHARE,
    Panel,
    Target,
    limited,
    lines,
    numbers,
    timeline,
)
from ..promql import increase, own, rate, summed

TITLE = "The profiler itself"

READY = {0: ("not ready", "red"), 1: ("ready", "green")}
HOOKS = {-1: ("no way here", "gray"), 0: ("lost", "red"), 1: ("attached", "green")}
CPU_LIMIT = 0.25
"""CPUs, as in the alert UffdProfilerCpuHigh."""
MEMORY_LIMIT = 64 * 1024**2
"""Bytes, as in the alert UffdProfilerMemoryHigh."""

PROGRAM_SECONDS = "uffd_profiler_overhead_program_seconds_total"
PROGRAM_RUNS = "uffd_profiler_overhead_program_runs_total"
_STATISTICS = "Absent while the kernel's run statistics of BPF programs are off."


def panels() -> tuple[Panel, ...]:
    """State, sight, cost."""
    return (
        numbers(
            "Ready",
            "Not ready while it attaches, and from when a hook has died; /-/ready names the hook.",
            NUMBER,
            Target(own("uffd_profiler_ready"), "{{instance}}"),
            states=READY,
            width=6,
        ),
        numbers(
            "Version",
            "Of the profiler, and of the Python that runs it.",
            NUMBER,
            Target(own("uffd_profiler_build_info"), "{{version}}, Python {{python}}"),
            names=True,
            width=6,
        ),
        numbers(
            "Attached for",
            "Time since the hooks were attached; 0 while they are not. All counters begin there.",
            SECONDS,
            Target(_attached(), "{{instance}}"),
            width=6,
        ),
        numbers(
            "Attaching took",
            "Compiling, loading and attaching at the start; 0 while it goes on.",
            SECONDS,
            Target(
                f"{own('uffd_profiler_attach_duration_seconds')} >= 0 or {own('uffd_profiler_ready')} * 0",
                "{{instance}}",
            ),
            width=6,
        ),
        timeline(
            "Hooks",
            "Each hook and the way it was attached. lost: it was, and no longer is. no way here: this kernel "
            "offers none, and its families are absent.",
            NUMBER,
            Target(
                f"{own('uffd_profiler_hook_attached', _way('!='))} "
                f"or {own('uffd_profiler_hook_attached', _way('='))} - 1",
                "{{hook}} by {{way}}",
            ),
            states=HOOKS,
        ),
        lines(
            "Missed events",
            "Events that the counters do not hold, by hook and reason, in the window of one point. A verdict "
            "that rests on them is not exercised.",
            NUMBER,
            Target(
                summed("hook, reason", increase("uffd_profiler_missed_events_total")), "{{hook}} {{reason}}"
            ),
            width=12,
        ),
        limited(
            lines(
                "CPU time",
                "100 % is one CPU. Programs: the BPF side, paid by those that fault; absent while the "
                "kernel's run statistics are off. Process: the serving side. The line is the limit of "
                "UffdProfilerCpuHigh, which is on the sum of an instance.",
                SHARE,
                Target(summed("instance", rate(PROGRAM_SECONDS)), "programs {{instance}}"),
                Target(_of_profiler(rate("process_cpu_seconds_total")), "process {{instance}}"),
                stacked=True,
            ),
            CPU_LIMIT,
        ),
        lines(
            "CPU time by program",
            f"100 % is one CPU. {_STATISTICS}",
            SHARE,
            Target(summed("program", rate(PROGRAM_SECONDS)), "{{program}}"),
            stacked=True,
        ),
        lines(
            "Time of a program's run",
            f"Mean of a run: what each event pays. A gap means that it did not run. {_STATISTICS}",
            SECONDS,
            Target(
                f"{summed('program', rate(PROGRAM_SECONDS))} / {summed('program', rate(PROGRAM_RUNS))}",
                "{{program}}",
            ),
        ),
        limited(
            lines(
                "Resident memory",
                "Of the serving process. The line is the limit of UffdProfilerMemoryHigh.",
                BYTES,
                Target(_of_profiler(own("process_resident_memory_bytes")), "{{instance}}"),
            ),
            MEMORY_LIMIT,
        ),
        lines(
            "Time of a scrape",
            "Collecting: what the service measures of reading its figures. Whole: what Prometheus measures, "
            "rendering and network included.",
            SECONDS,
            Target(own("uffd_profiler_scrape_duration_seconds"), "collecting {{instance}}"),
            Target(_of_profiler(own("scrape_duration_seconds")), "whole {{instance}}"),
        ),
        lines(
            "Open event streams",
            "Live pages that are open.",
            NUMBER,
            Target(own("uffd_profiler_event_streams"), "{{instance}}"),
            width=4,
        ),
        lines(
            "Log messages",
            "Lines that the service wrote to its log, by level.",
            COUNTS_PER_SECOND,
            Target(summed("level", rate("uffd_profiler_log_messages_total")), "{{level}}"),
            width=4,
        ),
    )


def _way(comparison: str) -> str:
    return f'way{comparison}"none"'


def _of_profiler(vector: str) -> str:
    """Of the targets chosen those that are this profiler: every exporter has ``process_*``."""
    return f"{vector} and on (job, instance) {own('uffd_profiler_build_info')}"


def _attached() -> str:
    """The time of attaching is NaN until it is done."""
    return (
        f"time() - {own('uffd_profiler_attached_timestamp_seconds')} >= 0 or {own('uffd_profiler_ready')} * 0"
    )
