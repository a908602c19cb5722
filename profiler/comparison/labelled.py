# SPDX-License-Identifier: GPL-2.0-only
"""Families that are compared by label set, whatever axes :data:`profiler.slots.FAMILIES` gives them."""

from collections.abc import Callable, Mapping

from ..slots import FAMILIES
from ..snapshot import Slot
from .figures import FIGURES, Figure, Measurement, Selection, Unit
from .samples import Sample

_FAMILY_FIGURES = {
    "userfault_begun": ("userfaults_begun", "userfaults begun", None, None),
    "userfault": ("userfaults_ended", "userfaults ended", "ns_per_userfault", "time waited per userfault"),
    "swap_fault": ("swap_faults", "swap-entry faults", "ns_per_swap_fault", "time per swap-entry fault"),
    "shmem_swapin": ("shmem_swapins", "shmem swap-ins", "ns_per_shmem_swapin", "time per shmem swap-in"),
    "swap_read": (
        "swap_reads",
        "faults that read from swap",
        "pages_per_swap_read",
        "pages read from swap per fault",
    ),
    "resolve": ("resolve_ioctls", "resolving ioctls", "ns_per_resolve", "time per resolving ioctl"),
}
"""Family → name and title of its count, and of the mean size of an event."""


def _count_in(family: str) -> Callable[[Sample, Selection], Measurement]:
    def measure(sample: Sample, selection: Selection) -> Measurement:
        return Measurement(_labelled_slot(sample, family, selection).count, sample.exposure)

    return measure


def _mean_in(family: str) -> Callable[[Sample, Selection], Measurement]:
    def measure(sample: Sample, selection: Selection) -> Measurement:
        slot = _labelled_slot(sample, family, selection)
        return Measurement(slot.sum, slot.count, slot)

    return measure


def _labelled_slot(sample: Sample, family: str, selection: Selection) -> Slot:
    axes = (axis for axis, _ in FAMILIES[family].axes)
    return sample.total.total(family, **dict(zip(axes, selection.labels, strict=False)))


def _labelled() -> Mapping[str, tuple[Figure, ...]]:
    found: dict[str, tuple[Figure, ...]] = {}
    for family, (count, count_title, size, size_title) in _FAMILY_FIGURES.items():
        figures = [Figure(count, count_title, "events", "count", (family,), _count_in(family), True, family)]
        if size and size_title:
            unit: Unit = "pages" if FAMILIES[family].pages else "time"
            needs = (family, f"{family}.sum")
            figures.append(Figure(size, size_title, unit, "mean", needs, _mean_in(family), False, family))
        found[family] = tuple(figures)
    return found


LABELLED = _labelled()
"""Family → the figures of each of its label sets."""

NAMES = tuple(dict.fromkeys(f.name for f in (*FIGURES, *(f for fs in LABELLED.values() for f in fs))))
"""Every name that ``--fail-if`` knows."""
