# SPDX-License-Identifier: GPL-2.0-only
"""How the numbers of the special swap types follow from the configuration, in each form the rule has had.

include/linux/swap.h: ``MAX_SWAPFILES`` is 32 less one for each special type; the special ones stand above
it in the order HWPOISON, MIGRATION, DEVICE, PTE_MARKER, SWAPIN_ERROR. What changed over time is which
there are, and on which configuration symbol each depends.
"""

from dataclasses import dataclass
from typing import Literal

from . import kinds
from .bits import OFFSET_BITS, PAGE_SHIFT, TYPES


@dataclass(frozen=True)
class Generation:
    """One form of the rule. The releases named are where mainline took it; nothing here decides by them."""

    name: str
    migration: tuple[str, ...]
    device: tuple[str, ...]
    marker: Literal["no", "configured", "always"]
    """Whether ``SWP_PTE_MARKER`` exists: by ``CONFIG_PTE_MARKER``, or always."""
    swapin_error_type: bool
    """``SWP_SWAPIN_ERROR`` is a type of its own, above the marker."""
    markers: tuple[str, ...]
    """``PTE_MARKER_*`` from bit 0 upwards."""
    exclusive: bool
    """The swap pte remembers ``PG_anon_exclusive`` (``_PAGE_SWP_EXCLUSIVE``)."""
    young_dirty: bool
    """Migration entries hold accessed and dirty above ``SWP_PFN_BITS`` (include/linux/swapops.h)."""
    saved_dirty: bool
    """``_PAGE_BIT_SAVED_DIRTY``, bit 58 of a present pte; before it, that bit was ``_PAGE_DEVMAP``."""
    guard: bool
    pagemap_uffd_wp: bool
    """Bit 57 of /proc/PID/pagemap is ``PM_UFFD_WP`` (fs/proc/task_mmu.c)."""
    one_device_exclusive: bool
    """``SWP_DEVICE_EXCLUSIVE`` is one type, no longer one for reading and one for writing."""


@dataclass(frozen=True)
class Options:
    """What else decides: configuration symbols without ``CONFIG_``, and 5-level page tables in use."""

    migration: bool = True
    memory_failure: bool = True
    device_private: bool = False
    pte_marker: bool = True
    mem_soft_dirty: bool = True
    have_arch_userfaultfd_wp: bool = True
    five_level: bool = False


@dataclass(frozen=True)
class Numbers:
    """The numbers of one kernel, none of them in doubt."""

    types: tuple[str, ...]
    """Swap type → kind; 32 of them, the swap areas first."""
    markers: tuple[str, ...]
    exclusive: bool
    soft_dirty: bool
    uffd_wp: bool
    pfn_bits: int
    """Bits of an offset that hold the pfn."""
    young_dirty: bool
    saved_dirty: bool
    pagemap_uffd_wp: bool

    @property
    def max_swapfiles(self) -> int:
        """``MAX_SWAPFILES``: types below it are swap areas."""
        return self.types.count(kinds.SWAP_SLOT)

    def number(self, kind: str) -> int | None:
        """Swap type of a special kind; ``None`` when this kernel has none."""
        return self.types.index(kind) if kind in self.types else None


_MIGRATION_2 = (kinds.MIGRATION_READ, kinds.MIGRATION_WRITE)
_MIGRATION_3 = (kinds.MIGRATION_READ, kinds.MIGRATION_READ_EXCLUSIVE, kinds.MIGRATION_WRITE)
_DEVICE_2 = (kinds.DEVICE_PRIVATE_WRITE, kinds.DEVICE_PRIVATE_READ)
_DEVICE_4 = (*_DEVICE_2, kinds.DEVICE_EXCLUSIVE_WRITE, kinds.DEVICE_EXCLUSIVE_READ)
_DEVICE_3 = (*_DEVICE_2, kinds.DEVICE_EXCLUSIVE)

# fmt: off
GENERATIONS = (  # devices; markers; then exclusive, young_dirty, saved_dirty, guard, pagemap, one_device
    Generation("before-device-exclusive", _MIGRATION_2, _DEVICE_2, "no", False, (),
               False, False, False, False, False, False),
    Generation("device-exclusive", _MIGRATION_2, _DEVICE_4, "no", False, (),
               False, False, False, False, True, False),
    Generation("pte-marker", _MIGRATION_3, _DEVICE_4, "configured", True, ("uffd_wp",),
               True, False, False, False, True, False),
    Generation("migration-young-dirty", _MIGRATION_3, _DEVICE_4, "configured", True, ("uffd_wp",),
               True, True, False, False, True, False),
    Generation("swapin-error-marker", _MIGRATION_3, _DEVICE_4, "always", False, ("uffd_wp", "swapin_error"),
               True, True, False, False, True, False),
    Generation("poison-marker", _MIGRATION_3, _DEVICE_4, "always", False, ("uffd_wp", "poison"),
               True, True, True, False, True, False),
    Generation("guard-marker", _MIGRATION_3, _DEVICE_4, "always", False, ("uffd_wp", "poison", "guard"),
               True, True, True, True, True, False),
    Generation("one-device-exclusive", _MIGRATION_3, _DEVICE_3, "always", False,
               ("uffd_wp", "poison", "guard"), True, True, True, True, True, True),
)
# fmt: on
"""Oldest first. The first is that of Linux 5.10; 5.14, 5.19, 6.1, 6.2, 6.6, 6.13 and 6.15 changed it."""


def numbers(generation: Generation, options: Options) -> Numbers:
    """The arithmetic of include/linux/swap.h; ``SWP_PFN_BITS`` of include/linux/swapops.h.

    ``MAX_PHYSMEM_BITS`` (arch/x86/include/asm/sparsemem.h) is 52 with 5-level page tables, else 46.
    """
    special: list[str] = []
    if options.memory_failure:
        special.append(kinds.HWPOISON)
    if options.migration:
        special.extend(generation.migration)
    if options.device_private:
        special.extend(generation.device)
    marker = generation.marker == "always" or (generation.marker == "configured" and options.pte_marker)
    if marker:
        special.append(kinds.MARKER)
    if generation.swapin_error_type:
        special.append(kinds.SWAPIN_ERROR)
    areas = TYPES - len(special)
    return Numbers(
        types=(kinds.SWAP_SLOT,) * areas + tuple(special),
        markers=generation.markers if marker else (),
        exclusive=generation.exclusive,
        soft_dirty=options.mem_soft_dirty,
        uffd_wp=options.have_arch_userfaultfd_wp,
        pfn_bits=(52 if options.five_level else 46) - PAGE_SHIFT if generation.young_dirty else OFFSET_BITS,
        young_dirty=generation.young_dirty,
        saved_dirty=generation.saved_dirty,
        pagemap_uffd_wp=generation.pagemap_uffd_wp,
    )
