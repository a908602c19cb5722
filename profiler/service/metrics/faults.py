# SPDX-License-Identifier: GPL-2.0-only
"""Page faults, the read path and its fault-around."""

from collections.abc import Iterator

from prometheus_client import Metric

from ...reports import availability
from ..live import Moment
from .series import by, counter, each, histogram, label_sets

EXCEPTIONS = ("user", "kernel")
"""Origins of faults that a page-fault exception raised; the others are get_user_pages."""

_READ = ("uffd_mode", "backing", "fault_around")
_RUN = ("uffd_mode", "backing")


def page_faults(moment: Moment) -> Iterator[Metric]:
    """Every fault that completed."""
    axes = ("origin",)
    yield histogram(
        "uffd_page_fault_duration_seconds",
        "Time of completed page faults (handle_mm_fault), without the wait for userspace.",
        axes,
        label_sets(moment.plan, "page_fault", axes),
        by(moment.total, "page_fault", axes),
    )


def read_faults(moment: Moment) -> Iterator[Metric]:
    """Read faults on page-cache memory, by what fault-around did."""
    plan, total = moment.plan, moment.total
    if availability.family(plan, "read_fault"):
        return
    sets = list(label_sets(plan, "read_fault", _READ))
    slots = by(total, "read_fault", _READ, origin=EXCEPTIONS)
    yield histogram(
        "uffd_read_fault_duration_seconds",
        "Time of completed read faults on page-cache memory (do_read_fault) that an exception raised, "
        "without the wait for userspace.",
        _READ,
        sets,
        slots,
    )
    yield counter(
        "uffd_read_fault_userspace_wait_seconds",
        "Time that these read faults waited for userspace in handle_userfault.",
        _READ,
        each(sets, slots, lambda slot: slot.wait / 1e9),
    )
    if availability.value(plan, "read_fault", "origin", "gup") is None:
        yield counter(
            "uffd_gup_read_faults",
            "Completed read faults on page-cache memory that get_user_pages raised.",
            _READ,
            each(sets, by(total, "read_fault", _READ, origin=("gup",))),
        )


def fault_around(moment: Moment) -> Iterator[Metric]:
    """Calls of ->map_pages, and what came of them."""
    plan = moment.plan
    if availability.family(plan, "fault_around_run"):
        return
    sets = list(label_sets(plan, "fault_around_run", _RUN))
    slots = by(moment.total, "fault_around_run", _RUN)
    yield counter(
        "uffd_fault_around_runs",
        "Calls of ->map_pages (filemap_map_pages) by do_fault_around.",
        _RUN,
        each(sets, slots),
    )
    if availability.figure(plan, "fault_around_run", "sum"):
        return
    yield counter(
        "uffd_fault_around_empty_runs",
        "Calls of ->map_pages that mapped no page.",
        _RUN,
        each(sets, slots, lambda slot: slot.buckets[0]),
    )
    yield counter(
        "uffd_fault_around_mapped_pages",
        "Pages of 4 KiB that ->map_pages mapped (set_pte_range and its forerunners; 512 for do_set_pmd).",
        _RUN,
        each(sets, slots, lambda slot: slot.sum),
    )
