# SPDX-License-Identifier: GPL-2.0-only
"""The report in words: one function per path of the kernel, each giving a :class:`Section`."""

from ...profile import Profile
from ..table import Section
from . import faults, health, intervals, resolve, swap_entry, userfault, verdict


def build(profile: Profile, all_modes: bool = False) -> tuple[Section, ...]:
    """Every section of a report, in reading order.

    :param all_modes: judge every uffd mode, not only those in which a fault was seen.
    """
    return (
        verdict.judged(profile, all_modes),
        faults.page_faults(profile),
        faults.read_path(profile, "user"),
        faults.read_path(profile, "kernel"),
        faults.read_path(profile, "gup"),
        faults.fault_around(profile),
        userfault.userfaults(profile),
        userfault.waiting(profile),
        resolve.resolving(profile),
        swap_entry.swap_entries(profile),
        swap_entry.shmem_swapin(profile),
        swap_entry.swap_read(profile),
        health.missed(profile),
        intervals.timeline(profile),
        health.hooks(profile),
    )
