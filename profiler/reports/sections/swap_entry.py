# SPDX-License-Identifier: GPL-2.0-only
"""Faults that reach do_swap_page."""

from ...profile import Profile
from .. import availability
from ..occurred import occurred
from ..table import Column, Section, left
from ..units import times, words


def swap_entries(profile: Profile) -> Section:
    """By kind of entry, and whether userfaultfd write-protects the page."""
    rows = tuple(
        (words(kind), uffd_wp, str(slot.count), *times(slot))
        for (kind, uffd_wp), slot in occurred(profile.total, "swap_fault")
    )
    return Section(
        "swap-entries",
        "Swap entries",
        "faults that reached do_swap_page, by kind of entry",
        (
            left("kind"),
            left("uffd-wp"),
            Column("count"),
            Column("mean"),
            Column("p50"),
            Column("p99"),
            Column("max"),
        ),
        rows,
        absent=availability.family(profile.plan, "swap_fault"),
    )
