# SPDX-License-Identifier: GPL-2.0-only
"""Where the time of a userfault goes: who waits, how long, and what resolves it."""

from ..panels import (
    COUNTS_PER_SECOND,
    NUMBER,
    SECONDS,
    Panel,
    Target,
    heat,
    limited,
    lines,
    numbers,
    quantiles,
)
from ..promql import own, rate, summed

TITLE = "Userfaults"

WAIT = "uffd_userfault_wait_seconds"
RESOLVE = "uffd_resolve_duration_seconds"
STUCK_SECONDS = 10
"""As in the alert UffdUserfaultStuck."""

_BY_TRACEPOINTS = "By tracepoints those of exceptions only."
_ABSENT = "By tracepoints absent without --collector.resolve."


def panels() -> tuple[Panel, ...]:
    """Now, then rates, then times; at last the ioctls that resolve."""
    oldest = Target(_oldest(), "{{instance}}")
    return (
        numbers(
            "Threads waiting now",
            "Threads inside handle_userfault that began to wait after the profiler attached.",
            NUMBER,
            Target(f"sum without (reason, backing) ({own('uffd_userfaults_waiting')})", "{{instance}}"),
            height=8,
        ),
        numbers(
            "Oldest wait",
            f"Of the thread that is longest inside handle_userfault; 0 when none is inside. "
            f"From {STUCK_SECONDS} s on it counts as stuck.",
            SECONDS,
            oldest,
            limit=STUCK_SECONDS,
            height=8,
        ),
        lines(
            "Threads waiting by reason",
            f"Sampled at each scrape: short waits show in the rates, not here. {_BY_TRACEPOINTS}",
            NUMBER,
            Target(summed("reason", own("uffd_userfaults_waiting")), "{{reason}}"),
            stacked=True,
        ),
        limited(
            lines(
                "Age of the oldest wait",
                f"0 when no thread waits. The line at {STUCK_SECONDS} s is the limit of UffdUserfaultStuck.",
                SECONDS,
                oldest,
            ),
            STUCK_SECONDS,
        ),
        lines(
            "Userfaults begun",
            f"Faults, by thread and page, that began to wait for userspace. {_BY_TRACEPOINTS}",
            COUNTS_PER_SECOND,
            Target(summed("reason, backing", rate("uffd_userfaults_begun_total")), "{{reason}} {{backing}}"),
            stacked=True,
        ),
        lines(
            "Userfaults ended",
            "resolved; interrupted by a signal; refused as sigbus or nowait (absent by tracepoints).",
            COUNTS_PER_SECOND,
            Target(summed("result", rate("uffd_userfaults_total")), "{{result}}"),
            stacked=True,
        ),
        lines(
            "Re-waits",
            "Waits of a fault beyond its first: woken before its page was there, or another thread's page "
            "was. Many of them are wake-ups for nothing.",
            COUNTS_PER_SECOND,
            Target(summed("reason", rate("uffd_userfault_rewaits_total")), "{{reason}}"),
        ),
        heat(
            "Whole wait of a userfault",
            "From its beginning to its end, re-waits included. Exemplars, where Prometheus keeps them, name "
            "threads that waited long.",
            WAIT,
            width=12,
            exemplars=True,
        ),
        quantiles(
            "Whole wait of a userfault by reason",
            "Interpolated within a bucket; a gap means that no userfault ended.",
            WAIT,
            "reason",
            width=12,
        ),
        lines(
            "Resolving ioctls",
            "UFFDIO_* calls by what they do and how they end; eagain: the mappings were changing; eexist: "
            f"the page was there already. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("op, result", rate(f"{RESOLVE}_count")), "{{op}} {{result}}"),
        ),
        heat(
            "Time inside resolving ioctls",
            f"All operations, whether or not a thread waits for them. {_ABSENT}",
            RESOLVE,
        ),
        quantiles(
            "Time inside resolving ioctls by operation",
            f"Interpolated within a bucket; a gap means that there was no call. {_ABSENT}",
            RESOLVE,
            "op",
        ),
    )


def _oldest() -> str:
    """Age at the scrape, and 0 where the start is NaN because nobody waits.

    ``timestamp()``, not ``time()``: between two scrapes the wait may have ended.
    """
    start = own("uffd_userfault_oldest_start_timestamp_seconds")
    nobody = f"sum without (reason, backing) ({own('uffd_userfaults_waiting')}) * 0"
    return f"clamp_min(timestamp({start}) - {start}, 0) >= 0 or {nobody}"
