# SPDX-License-Identifier: GPL-2.0-only
"""What a swap type and offset mean, under numbers that are not in doubt."""

from dataclasses import dataclass

from . import kinds as k
from .bits import names_of
from .generations import Numbers


@dataclass(frozen=True)
class Meaning:
    """The kind, and what the offset holds."""

    kind: str
    pfn: int | None = None
    flags: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


def classify(type_: int, offset: int, numbers: Numbers) -> Meaning:
    """As ``softleaf_type()`` (include/linux/leafops.h) and the ``is_*_entry()`` before it do.

    Offset 0 of a swap area is its header (``setup_swap_map()``, mm/swapfile.c, never hands it out), and
    type 0 with offset 0 is ``swp_entry_t`` 0, which the kernel takes for no entry.
    """
    kind = numbers.types[type_]
    if kind == k.SWAP_SLOT:
        if offset:
            return Meaning(kind)
        return Meaning(k.SWAP_HEADER if type_ else k.NO_ENTRY)
    if kind == k.MARKER:
        return _marker(offset, numbers)
    if kind in k.WITH_PFN:
        return _with_pfn(kind, offset, numbers)
    return Meaning(kind)


def _marker(offset: int, numbers: Numbers) -> Meaning:
    """``softleaf_to_marker()``, ``pte_marker_get()``: the offset is made of flags."""
    known = (1 << len(numbers.markers)) - 1
    names = tuple(name for bit, name in enumerate(numbers.markers) if offset >> bit & 1)
    kind = k.MARKERS[names[0]] if len(names) == 1 and not offset & ~known else k.MARKER
    return Meaning(kind, markers=names, unexpected=names_of(offset & ~known, "offset bit"))


def _with_pfn(kind: str, offset: int, numbers: Numbers) -> Meaning:
    """``swp_offset_pfn()`` (include/linux/swapops.h); above it ``SWP_MIG_YOUNG`` and ``SWP_MIG_DIRTY``."""
    pfn, rest = offset & (1 << numbers.pfn_bits) - 1, offset >> numbers.pfn_bits
    flags: tuple[str, ...] = ()
    if kind in k.MIGRATION and numbers.young_dirty:
        flags = ("young",) * (rest & 1) + ("dirty",) * (rest >> 1 & 1)
        rest &= ~3
    return Meaning(kind, pfn, flags, unexpected=names_of(rest << numbers.pfn_bits, "offset bit"))
