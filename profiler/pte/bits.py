# SPDX-License-Identifier: GPL-2.0-only
"""Where the bits of an x86-64 pte stand, which no configuration moves.

Present: arch/x86/include/asm/pgtable_types.h (``_PAGE_BIT_*``). Not present: the drawing above
``SWP_TYPE_BITS`` in arch/x86/include/asm/pgtable_64.h, the same since L1TF was answered (Linux 4.19).
"""

U64 = (1 << 64) - 1
PAGE_SHIFT = 12

PRESENT = 1 << 0
PROTNONE = 1 << 8
"""``_PAGE_PROTNONE`` is ``_PAGE_GLOBAL`` of a pte that is not ``_PAGE_PRESENT``."""
UFFD_WP = 1 << 10
SOFT_DIRTY = 1 << 11
SAVED_DIRTY = 1 << 58

SWP_SOFT_DIRTY = 1 << 1
SWP_UFFD_WP = 1 << 2
SWP_EXCLUSIVE = 1 << 3

KNL_ERRATUM = 1 << 5 | 1 << 6
"""``_PAGE_KNL_ERRATUM_MASK``: accessed and dirty, which Knights Landing may set in any entry;
``pte_none()`` does not look at them."""

TYPE_BITS = 5
TYPES = 1 << TYPE_BITS
OFFSET_FIRST_BIT = 9
OFFSET_BITS = 64 - TYPE_BITS - OFFSET_FIRST_BIT
OFFSET_MAX = (1 << OFFSET_BITS) - 1

PHYSICAL_MASK_SHIFT = 52
"""``__PHYSICAL_MASK_SHIFT`` (arch/x86/include/asm/page_64_types.h)."""
PFN_BITS = PHYSICAL_MASK_SHIFT - PAGE_SHIFT
PFN_MAX = (1 << PFN_BITS) - 1

FLAGS = {
    1: "writable",
    2: "user",
    3: "write_through",
    4: "cache_disabled",
    5: "accessed",
    6: "dirty",
    7: "pat",
    8: "global",
    9: "special",
    63: "no_execute",
}
"""Bit → name, of a present pte on every kernel."""
PKEY_SHIFT, PKEY_MASK = 59, 15


def swap_type(pte: int) -> int:
    """``__swp_type()`` of a non-present pte: 0 to 31."""
    return pte >> (64 - TYPE_BITS)


def swap_offset(pte: int) -> int:
    """``__swp_offset()`` of a non-present pte: the inversion of L1TF undone."""
    return (~pte << TYPE_BITS & U64) >> (OFFSET_FIRST_BIT + TYPE_BITS)


def swap_pte(type_: int, offset: int) -> int:
    """``__swp_entry()``: the non-present pte without its low flags; of the offset, the low 50 bits."""
    shift = OFFSET_FIRST_BIT + TYPE_BITS
    return (~offset << shift & U64) >> TYPE_BITS | type_ << (64 - TYPE_BITS)


def pfn(pte: int) -> int:
    """``pte_pfn()`` of a present pte (arch/x86/include/asm/pgtable.h), inverted if it is prot-none.

    ``protnone_mask()`` in pgtable-invert.h: an entry that is not 0 and not ``_PAGE_PRESENT`` is inverted.
    """
    stored = pte if pte & PRESENT else ~pte
    return stored >> PAGE_SHIFT & PFN_MAX


def is_present(pte: int) -> bool:
    """``pte_present()``: prot-none counts."""
    return bool(pte & (PRESENT | PROTNONE))


def is_none(pte: int) -> bool:
    """``pte_none()``: nothing, but for the bits of the erratum."""
    return not pte & ~KNL_ERRATUM


def names_of(bits: int, prefix: str = "bit") -> tuple[str, ...]:
    """``bit 4``, ``bit 7``: each bit that is set."""
    return tuple(f"{prefix} {bit}" for bit in range(bits.bit_length()) if bits >> bit & 1)
