# SPDX-License-Identifier: GPL-2.0-only
"""The inverse of decoding, by the kernel's formulas: ptes made from what they shall say."""

from . import bits
from . import kinds as k
from .generations import Numbers


def swap_entry(
    type_: int,
    offset: int,
    *,
    soft_dirty: bool = False,
    uffd_wp: bool = False,
    exclusive: bool = False,
) -> int:
    """``swp_entry_to_pte()`` and ``pte_swp_mk{soft_dirty,uffd_wp,exclusive}()``.

    :param type_: 0 to 31.
    :param offset: of it, the low 50 bits are kept, as the kernel does.
    """
    low = bits.SWP_SOFT_DIRTY * soft_dirty | bits.SWP_UFFD_WP * uffd_wp | bits.SWP_EXCLUSIVE * exclusive
    return bits.swap_pte(type_, offset) | low


def with_pfn(
    kind: str, pfn: int, numbers: Numbers, *, young: bool = False, dirty: bool = False, uffd_wp: bool = False
) -> int:
    """``make_*_migration_entry()``, ``make_*_device_*_entry()``, ``make_hwpoison_entry()``.

    :raises ValueError: when this kernel has no such entry, or no room for the pfn or a flag.
    """
    type_ = numbers.number(kind)
    if kind not in k.WITH_PFN or type_ is None:
        raise ValueError(f"no {kind} entries here")
    if pfn >> numbers.pfn_bits:
        raise ValueError(f"pfn {pfn:#x} does not fit")
    if (young or dirty) and not (numbers.young_dirty and kind in k.MIGRATION):
        raise ValueError(f"{kind} has no room for young and dirty")
    offset = pfn | young << numbers.pfn_bits | dirty << numbers.pfn_bits + 1
    return swap_entry(type_, offset, uffd_wp=uffd_wp)


def marker(names: tuple[str, ...], numbers: Numbers) -> int:
    """``make_pte_marker()`` (include/linux/swapops.h) with the named bits.

    :raises ValueError: when this kernel has no such marker.
    """
    type_ = numbers.number(k.MARKER)
    if type_ is None or not set(names) <= set(numbers.markers):
        raise ValueError(f"no markers {names} here")
    return swap_entry(type_, sum(1 << numbers.markers.index(name) for name in names))


def mapped(pfn: int, flags: int, *, prot_none: bool = False) -> int:
    """``pfn_pte()`` (arch/x86/include/asm/pgtable.h): present, or prot-none with its pfn inverted.

    :param flags: further bits of the pte, outside of the pfn's and of the two that say present.
    """
    field = bits.PFN_MAX << bits.PAGE_SHIFT
    stored = (~pfn if prot_none else pfn) << bits.PAGE_SHIFT & field
    return stored | flags | (bits.PROTNONE if prot_none else bits.PRESENT)
