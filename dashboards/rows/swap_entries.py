# SPDX-License-Identifier: GPL-2.0-only
"""Faults on swap entries, among them those that userfaultfd's write protection left behind."""

from ..panels import COUNTS_PER_SECOND, Panel, Target, heat, lines, quantiles
from ..promql import rate, summed

TITLE = "Swap entries"

SWAP_ENTRY = "uffd_swap_entry_fault_duration_seconds"
_ABSENT = "Absent by tracepoints."


def panels() -> tuple[Panel, ...]:
    """How many, how long."""
    return (
        lines(
            "Swap-entry faults",
            "Faults that reached do_swap_page: on a page swapped out (swap_slot), or on another entry, such "
            f"as one under migration. uffd_wp: the entry carries userfaultfd's write protection. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("kind, uffd_wp", rate(f"{SWAP_ENTRY}_count")), "{{kind}}, uffd_wp {{uffd_wp}}"),
            stacked=True,
        ),
        heat(
            "Own time of swap-entry faults",
            f"Without the wait for userspace. All kinds of entry. {_ABSENT}",
            SWAP_ENTRY,
        ),
        quantiles(
            "Own time of swap-entry faults by kind",
            f"Interpolated within a bucket; a gap means that there was no such fault. {_ABSENT}",
            SWAP_ENTRY,
            "kind",
        ),
    )
