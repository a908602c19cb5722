# SPDX-License-Identifier: GPL-2.0-only
"""The entries proposed in December 2020 for "write-protected by userfaultfd, page gone".

Peter Xu, Hugh Dickins and Andrea Arcangeli, under "[PATCH v2] mm: Don't fault around
userfaultfd-registered regions on reads". No mainline kernel took one of them: it has pte markers.
"""

from collections.abc import Callable
from typing import Literal, get_args

from . import bits
from . import kinds as k
from .entry import Entry

Proposal = Literal[
    "type1-offset0", "type0-uffd-bit", "migration-pfn-0", "migration-pfn-all-ones", "prot-none"
]
PROPOSALS: tuple[Proposal, ...] = get_args(Proposal)

UFFD_WP_OFFSET = bits.SWP_UFFD_WP
"""Offset of ``swp_entry(0, _PAGE_SWP_UFFD_WP)``."""


def stands_for_uffd_wp(proposal: Proposal, entry: Entry, anonymous: bool | None) -> bool | None:
    """Whether a kernel with the proposal takes the entry for its own.

    :param entry: as read without a proposal, under numbers that are not in doubt.
    :param anonymous: of the VMA (``vma_is_anonymous()``), ``None`` when not known.
    :returns: ``None`` when the VMA decides and is not known.
    """
    return _RULES[proposal](entry, anonymous)


def _type1_offset0(entry: Entry, _: bool | None) -> bool:
    return (entry.type, entry.offset) == (1, 0)


def _type0_uffd_bit(entry: Entry, anonymous: bool | None) -> bool | None:
    """Written as an entry it is slot 4 of the first swap area; as a bare bit, the last slot it could have.

    A private mapping of a file is not anonymous and can have a page in slot 4: the thread did not see
    that, and a kernel built so would lose the page.
    """
    if entry.type != 0:
        return False
    if entry.offset != UFFD_WP_OFFSET and not (entry.uffd_wp and entry.offset in (0, bits.OFFSET_MAX)):
        return False
    return None if anonymous is None else not anonymous


def _migration_pfn_0(entry: Entry, _: bool | None) -> bool:
    return entry.kind in k.MIGRATION and entry.offset == 0


def _migration_pfn_all_ones(entry: Entry, _: bool | None) -> bool:
    """-1 cut to the offset, so above the pfn too."""
    return entry.kind in k.MIGRATION and entry.offset == bits.OFFSET_MAX


def _prot_none(entry: Entry, _: bool | None) -> bool:
    """Prot-none with the uffd-wp bit and no frame: stored as 0, or as the inverse of 0, against L1TF."""
    frameless = entry.pfn in (0, bits.PFN_MAX)
    return entry.kind == k.PROT_NONE and entry.uffd_wp is True and frameless


_RULES: dict[Proposal, Callable[[Entry, bool | None], bool | None]] = {
    "type1-offset0": _type1_offset0,
    "type0-uffd-bit": _type0_uffd_bit,
    "migration-pfn-0": _migration_pfn_0,
    "migration-pfn-all-ones": _migration_pfn_all_ones,
    "prot-none": _prot_none,
}
