# SPDX-License-Identifier: GPL-2.0-only
"""Faults on what is swapped out or marked as gone, and what they read from swap."""

from ...profile import Profile
from ...slots import SHMEM_SWAPIN_RESULTS, SWAP_READERS
from ...snapshot import Slot
from .. import availability
from ..occurred import occurred
from ..table import Column, Section, left
from ..units import number, times, words

_FIGURES = (Column("count"), Column("mean"), Column("p50"), Column("p99"), Column("max"))
READ_FOR = {"swap_entry": "a swap entry", "shmem": "shared memory"}
"""What a fault reads from swap for, in words."""


def swap_entries(profile: Profile) -> Section:
    """By kind of entry, whether userfaultfd write-protects the page, and how the fault ended."""
    absent = availability.family(profile.plan, "swap_fault")
    rows = tuple(
        (words(kind), uffd_wp, result, str(slot.count), *times(slot))
        for (kind, uffd_wp, result), slot in occurred(profile.total, "swap_fault")
    )
    return Section(
        "swap-entries",
        "Swap entries",
        "faults that reached do_swap_page, by what their pte said",
        (left("kind"), left("uffd-wp"), left("result"), *_FIGURES),
        rows,
        notes=_doubts(profile) if rows else (),
        absent=absent,
    )


def shmem_swapin(profile: Profile) -> Section:
    """By how it ended."""
    absent = availability.family(profile.plan, "shmem_swapin")
    names = {name: f"'{name}'" for name in SHMEM_SWAPIN_RESULTS}
    rows = tuple(
        (result, str(slot.count), *times(slot)) for (result,), slot in occurred(profile.total, "shmem_swapin")
    )
    return Section(
        "shmem-swapin",
        "Shared memory swapped in",
        "faults on a page whose swap entry is not in the pte",
        (left("result"), *_FIGURES),
        rows,
        () if absent else _missing(profile, "shmem_swapin", "result", names),
        within="swap-entries",
        absent=absent,
    )


def swap_read(profile: Profile) -> Section:
    """What the faults of both tables read from swap: the page that each needs, and what comes with it."""
    absent = availability.family(profile.plan, "swap_read")
    missing = () if absent else _missing(profile, "swap_read", "by", READ_FOR)
    rows = tuple((READ_FOR[by], *_pages(slot)) for (by,), slot in occurred(profile.total, "swap_read"))
    return Section(
        "swap-read",
        "Pages read from swap",
        "by faults; read ahead: all but one page of each fault",
        (
            left("for"),
            Column("faults that read", "faults"),
            Column("pages"),
            Column("read ahead"),
            Column("pages per fault", "mean"),
            Column("max"),
        ),
        rows,
        missing,
        within="swap-entries",
        absent=absent or (missing[0][1] if len(missing) == len(SWAP_READERS) else None),
    )


def _doubts(profile: Profile) -> tuple[str, ...]:
    kernel = profile.kernel
    found: tuple[str, ...] = ()
    if kernel.uffd_wp_entry:
        found = (f"Write-protected, as patched: {kernel.uffd_wp_entry}, as --uffd-wp-entry says.",)
    if kernel.pte_doubts:
        found += ("Kinds that this kernel leaves in doubt are counted as special.", *kernel.pte_doubts)
    return found


def _pages(slot: Slot) -> tuple[str, ...]:
    ahead = max(0, slot.sum - slot.count)  # read while they grow, the two may be off by one
    return (str(slot.count), str(slot.sum), str(ahead), number(slot.mean), str(slot.max))


def _missing(profile: Profile, family: str, axis: str, names: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Label values that the ways taken cannot tell, with the phrase in their place."""
    told = ((name, availability.value(profile.plan, family, axis, value)) for value, name in names.items())
    return tuple((name, phrase) for name, phrase in told if phrase)
