# SPDX-License-Identifier: GPL-2.0-only
"""Faults on swap entries, among them those that userfaultfd's write protection left behind."""

from ..panels import COUNTS_PER_SECOND, NUMBER, SHARE, Panel, Target, heat, lines, quantiles
from ..promql import rate, summed

TITLE = "Swap entries"

SWAP_ENTRY = "uffd_swap_entry_fault_duration_seconds"
SHMEM = "uffd_shmem_swapin_duration_seconds"
READ_FAULTS = "uffd_swap_read_faults_total"
READ_PAGES = "uffd_swap_read_pages_total"
_ABSENT = "Absent by tracepoints."
_GAP = "Interpolated within a bucket; a gap means that there was no such fault."


def panels() -> tuple[Panel, ...]:
    """By what the pte said, then of shared memory, then what both read."""
    return (
        lines(
            "Swap-entry faults by kind",
            "Faults that reached do_swap_page: on a page swapped out (swap_slot), or on another entry, such "
            "as one under migration or a pte marker. uffd_wp: the entry carries userfaultfd's write "
            f"protection. {_ABSENT}",
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
            f"{_GAP} {_ABSENT}",
            SWAP_ENTRY,
            "kind",
        ),
        lines(
            "Swap-entry faults by result",
            "minor: nothing was read from a device. major: the page was read. retried: the touch faults "
            "again, as after a page under migration. poisoned: the memory is broken, or marked so. error: "
            f"SIGBUS, SIGSEGV or no memory. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("result", rate(f"{SWAP_ENTRY}_count")), "{{result}}"),
            stacked=True,
        ),
        lines(
            "Share of swapped-out pages that were read from a device",
            "Of the faults on a page swapped out, those that waited for the device: most others found it in "
            f"the swap cache, read ahead. A gap means no such fault. {_ABSENT}",
            SHARE,
            Target(_share_read(), "uffd_wp {{uffd_wp}}"),
        ),
        quantiles(
            "Own time of swap-entry faults by result",
            f"{_GAP} {_ABSENT}",
            SWAP_ENTRY,
            "result",
        ),
        lines(
            "Shared memory swapped in",
            "Faults that brought back a swapped-out page of shared memory. Its swap entry is not in the pte: "
            f"they are not among the swap-entry faults, but for those on a pte marker. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("result", rate(f"{SHMEM}_count")), "{{result}}"),
            stacked=True,
        ),
        heat("Time of swapping in shared memory", f"Of all results. {_ABSENT}", SHMEM),
        quantiles("Time of swapping in shared memory by result", f"{_GAP} {_ABSENT}", SHMEM, "result"),
        lines(
            "Pages read from swap by faults",
            "The page that each fault needs, and those read ahead with it. swap_entry: for an entry in the "
            f"pte. shmem: for shared memory. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("by", rate(READ_PAGES)), "{{by}}"),
            width=12,
            stacked=True,
        ),
        lines(
            "Pages read from swap by a fault",
            "On average, of the faults that read at all: what is more than 1 was read ahead. A gap means "
            f"that none read. {_ABSENT}",
            NUMBER,
            Target(f"{summed('by', rate(READ_PAGES))} / {summed('by', rate(READ_FAULTS))}", "{{by}}"),
            width=12,
        ),
    )


def _share_read() -> str:
    slots = rate(f"{SWAP_ENTRY}_count", 'kind="swap_slot"')
    read = rate(f"{SWAP_ENTRY}_count", 'kind="swap_slot"', 'result="major"')
    return f"{summed('uffd_wp', read)} / {summed('uffd_wp', slots)}"
