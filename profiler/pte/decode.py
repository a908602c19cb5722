# SPDX-License-Identifier: GPL-2.0-only
"""From the 64 bits of a pte to what they say."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from . import bits
from . import kinds as k
from .entry import Entry, merge
from .generations import Numbers
from .layout import Layout
from .proposals import Proposal, stands_for_uffd_wp
from .special import classify


def decode(
    value: int,
    layout: Layout,
    *,
    proposal: Proposal | None = None,
    vma_is_anonymous: bool | None = None,
) -> Entry:
    """Decode a pte; of a layout in doubt, what all its candidates agree on.

    :param value: 0 to 2^64 - 1.
    :param proposal: the entry that the kernel uses for "uffd-wp, page gone", if it is one of the seed's.
    :param vma_is_anonymous: of the VMA that the pte is in; ``None`` when not known.
    :raises ValueError: when the value has not 64 bits.
    """
    return agreed(value, layout, lambda numbers: (decode_pte(value, numbers),), proposal, vma_is_anonymous)


def agreed(
    value: int,
    layout: Layout,
    entries: Callable[[Numbers], Iterable[Entry]],
    proposal: Proposal | None,
    anonymous: bool | None,
) -> Entry:
    """What all entries that a value can be have in common.

    :param entries: those under numbers that are not in doubt.
    :raises ValueError: when the value has not 64 bits.
    """
    if not 0 <= value <= bits.U64:
        raise ValueError(f"{value} has not 64 bits")
    return merge(
        entry
        for numbers in layout.candidates
        for plain in entries(numbers)
        for entry in _readings(plain, proposal, anonymous)
    )


def _readings(entry: Entry, proposal: Proposal | None, anonymous: bool | None) -> Iterator[Entry]:
    """The entry as it is, as the proposal has it, or both when the VMA decides and is not known."""
    special = proposal is not None and stands_for_uffd_wp(proposal, entry, anonymous)
    if special is not True:
        yield entry
    if special is not False:
        yield replace(
            entry,
            kinds=(k.UFFD_WP_SPECIAL,),
            present=False,
            pfn=None,
            exclusive=None,
            uffd_wp=True,
        )


def decode_pte(value: int, numbers: Numbers) -> Entry:
    """Decode under numbers that are not in doubt."""
    if bits.is_none(value):
        return Entry(value, (k.NONE,), unexpected=bits.names_of(value))
    if bits.is_present(value):
        return _present(value, numbers)
    return _swap(value, numbers)


def _present(value: int, numbers: Numbers) -> Entry:
    """arch/x86/include/asm/pgtable_types.h; bit 57 and 52 to 56 have no use in a user's pte."""
    names = dict(bits.FLAGS)
    known = bits.PRESENT | bits.PROTNONE | bits.PFN_MAX << bits.PAGE_SHIFT
    known |= bits.PKEY_MASK << bits.PKEY_SHIFT
    if numbers.uffd_wp:
        known |= bits.UFFD_WP
    if numbers.soft_dirty:
        known |= bits.SOFT_DIRTY
    names[58] = "saved_dirty" if numbers.saved_dirty else "devmap"
    prot_none = not value & bits.PRESENT
    if prot_none:
        del names[8]
    flags = tuple(name for bit, name in sorted(names.items()) if value >> bit & 1)
    pkey = value >> bits.PKEY_SHIFT & bits.PKEY_MASK
    if pkey:
        flags += (f"protection_key_{pkey}",)
    return Entry(
        value,
        (k.PROT_NONE if prot_none else k.PRESENT,),
        present=True,
        pfn=bits.pfn(value),
        soft_dirty=bool(value & bits.SOFT_DIRTY) if numbers.soft_dirty else None,
        uffd_wp=bool(value & bits.UFFD_WP) if numbers.uffd_wp else None,
        flags=flags,
        unexpected=bits.names_of(value & ~known & ~sum(1 << bit for bit in names)),
    )


def _swap(value: int, numbers: Numbers) -> Entry:
    """arch/x86/include/asm/pgtable_64.h; flags as ``pte_swp_*()`` of pgtable.h read them."""
    type_, offset = bits.swap_type(value), bits.swap_offset(value)
    meaning = classify(type_, offset, numbers)
    low = value & (1 << bits.OFFSET_FIRST_BIT) - 1
    known = bits.SWP_SOFT_DIRTY * numbers.soft_dirty
    # A marker says it in its offset: make_pte_marker() sets no flag.
    if numbers.types[type_] != k.MARKER:
        known |= bits.SWP_UFFD_WP * numbers.uffd_wp | bits.SWP_EXCLUSIVE * numbers.exclusive
    uffd_wp = bool(value & bits.SWP_UFFD_WP) or "uffd_wp" in meaning.markers
    return Entry(
        value,
        (meaning.kind,),
        type=type_,
        offset=offset,
        pfn=meaning.pfn,
        soft_dirty=bool(value & bits.SWP_SOFT_DIRTY) if numbers.soft_dirty else None,
        exclusive=bool(value & bits.SWP_EXCLUSIVE) if numbers.exclusive else None,
        uffd_wp=uffd_wp if numbers.uffd_wp else None,
        flags=meaning.flags,
        markers=meaning.markers,
        unexpected=bits.names_of(low & ~known) + meaning.unexpected,
    )
