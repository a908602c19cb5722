# SPDX-License-Identifier: GPL-2.0-only
"""Faults on ptes that are not present, shared memory swapped in, and what both read from swap."""

from collections.abc import Iterator

from prometheus_client import Metric

from ...reports import availability
from ...slots import SWAP_RESULTS, UFFD_WP
from ...snapshot import EMPTY, Labels, Slot
from ..live import Moment
from .series import by, counter, each, histogram, label_sets

_AXES = ("kind", "uffd_wp", "result")

_POSSIBLE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "swap_slot": (UFFD_WP, SWAP_RESULTS),
    # migration_entry_wait() returns 0.
    "migration": (UFFD_WP, ("retried",)),
    # migrate_to_ram() and remove_device_exclusive_entry() read nothing from swap.
    "device": (UFFD_WP, ("minor", "retried", "error")),
    # VM_FAULT_HWPOISON, whatever else the pte says.
    "hwpoison": (UFFD_WP, ("poisoned",)),
    # do_fault() follows, which may end in any way.
    "marker_uffd_wp": (("yes",), SWAP_RESULTS),
    # handle_pte_marker(): VM_FAULT_HWPOISON and VM_FAULT_SIGSEGV. change_pte_range() (mm/mprotect.c) does not
    # write-protect them.
    "marker_poison": (("no",), ("poisoned",)),
    "marker_guard": (("no",), ("error",)),
    # VM_FAULT_SIGBUS.
    "swapin_error": (UFFD_WP, ("error",)),
    # What a patched kernel does with it, nobody knows.
    "uffd_wp_special": (("yes",), SWAP_RESULTS),
    # Only where kinds are in doubt: see _label_sets().
    "special": (UFFD_WP, SWAP_RESULTS),
    # print_bad_pte(), or a slot that no swap area has.
    "other": (UFFD_WP, ("error",)),
}
"""Kind → the values of ``uffd_wp`` and ``result`` that do_swap_page() (mm/memory.c) gives it.

A third of all label sets; what is left out does not happen, and is shown once it does.
"""


def swap_entries(moment: Moment) -> Iterator[Metric]:
    """One unit is one fault."""
    plan, total = moment.plan, moment.total
    if availability.family(plan, "swap_fault") is None:
        slots = by(total, "swap_fault", _AXES)
        yield histogram(
            "uffd_swap_entry_fault_duration_seconds",
            "Time of completed faults that reached do_swap_page, without the wait for userspace.",
            _AXES,
            _label_sets(moment, slots),
            slots,
        )
    if availability.family(plan, "shmem_swapin") is None:
        axes = ("result",)
        yield histogram(
            "uffd_shmem_swapin_duration_seconds",
            "Time in which faults brought back a swapped-out page of shared memory (shmem_swapin_folio).",
            axes,
            label_sets(plan, "shmem_swapin", axes),
            by(total, "shmem_swapin", axes),
        )
    if availability.family(plan, "swap_read") is None:
        axes = ("by",)
        sets, slots = list(label_sets(plan, "swap_read", axes)), by(total, "swap_read", axes)
        yield counter(
            "uffd_swap_read_faults",
            "Faults that read from swap (swap_read_folio), by what for.",
            axes,
            each(sets, slots),
        )
        yield counter(
            "uffd_swap_read_pages",
            "Pages of 4 KiB that these faults read: the one that each needs, and those read ahead.",
            axes,
            each(sets, slots, lambda slot: slot.sum),
        )


def _label_sets(moment: Moment, slots: dict[Labels, Slot]) -> list[Labels]:
    """Those that are possible or did occur, in the order of the family."""
    doubts = bool(moment.kernel.pte_doubts)
    return [
        labels
        for labels in label_sets(moment.plan, "swap_fault", _AXES)
        if _is_possible(labels, doubts) or slots.get(labels, EMPTY).count
    ]


def _is_possible(labels: Labels, doubts: bool) -> bool:
    kind, uffd_wp, result = labels
    protections, results = _POSSIBLE[kind]
    return uffd_wp in protections and result in results and (doubts or kind != "special")
