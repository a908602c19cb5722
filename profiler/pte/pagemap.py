# SPDX-License-Identifier: GPL-2.0-only
"""/proc/PID/pagemap: what it tells of a page table entry of a living process.

Documentation/admin-guide/mm/pagemap.rst; ``pte_to_pagemap_entry()``, fs/proc/task_mmu.c. It does not hold
the pte: prot-none looks like present, the exclusive bit and those of a present pte are left out, a migration
entry's accessed and dirty too, soft-dirty may be the whole mapping's. Markers count as swapped. Without
CAP_SYS_ADMIN the frame field is 0, and with it goes the type.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

from . import bits
from . import kinds as k
from .decode import agreed
from .entry import Entry
from .generations import Numbers
from .layout import Layout
from .proposals import Proposal
from .special import classify

SOFT_DIRTY, MMAP_EXCLUSIVE, UFFD_WP, GUARD_REGION = 1 << 55, 1 << 56, 1 << 57, 1 << 58
FILE, SWAP, PRESENT = 1 << 61, 1 << 62, 1 << 63
FRAME = (1 << 55) - 1
ENTRY_BYTES = 8


def read(pid: int, address: int, pages: int) -> tuple[int, ...]:
    """The values of consecutive pages; fewer when the address space ends before.

    :param address: any of the first page.
    :raises OSError: as opening or reading the file: there is no such process, or it may not be looked into.
    """
    fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(fd, pages * ENTRY_BYTES, (address >> bits.PAGE_SHIFT) * ENTRY_BYTES)
    finally:
        os.close(fd)
    return tuple(
        int.from_bytes(data[at : at + ENTRY_BYTES], "little") for at in range(0, len(data), ENTRY_BYTES)
    )


def decode_pagemap(
    value: int,
    layout: Layout,
    *,
    proposal: Proposal | None = None,
    vma_is_anonymous: bool | None = None,
) -> Entry:
    """Decode a value of pagemap as :func:`.decode.decode` does a pte's; what it does not tell is unknown.

    :raises ValueError: when the value has not 64 bits.
    """
    return agreed(value, layout, lambda numbers: _entries(value, numbers), proposal, vma_is_anonymous)


def _entries(value: int, numbers: Numbers) -> Iterator[Entry]:
    frame = value & FRAME
    entry = Entry(
        value,
        (k.NONE,),
        soft_dirty=bool(value & SOFT_DIRTY) if numbers.soft_dirty else None,
        uffd_wp=_uffd_wp(value, numbers),
        flags=("mapped_once",) * bool(value & MMAP_EXCLUSIVE) + ("file_or_shared",) * bool(value & FILE),
        unexpected=_unexpected(value, numbers),
    )
    if not numbers.pagemap_uffd_wp and not value & UFFD_WP and numbers.uffd_wp:
        entry = replace(entry, unknown=("uffd_wp",))
    if value & PRESENT:
        hidden = () if frame else ("pfn",)
        entry = replace(entry, present=True, pfn=frame or None, unknown=(*entry.unknown, *hidden))
        yield from (replace(entry, kinds=(kind,)) for kind in (k.PRESENT, k.PROT_NONE))
    elif value & SWAP:
        unknown = (*entry.unknown, "exclusive") if numbers.exclusive else entry.unknown
        yield from _swapped(frame, replace(entry, unknown=unknown), numbers)
    else:
        yield entry


def _swapped(frame: int, entry: Entry, numbers: Numbers) -> Iterator[Entry]:
    """Type in bits 0 to 4, offset in 5 to 54; entry 0:0 is never swapped, so 0 is hidden."""
    if not frame:
        for kind in _possible(entry.value, numbers):
            yield replace(entry, kinds=(kind,), unknown=(*entry.unknown, "type", "offset", "pfn", "markers"))
        return
    type_, offset = frame & bits.TYPES - 1, frame >> bits.TYPE_BITS
    meaning = classify(type_, offset, numbers)
    yield replace(
        entry,
        kinds=(meaning.kind,),
        type=type_,
        offset=offset,
        pfn=meaning.pfn,
        flags=entry.flags + meaning.flags,
        markers=meaning.markers,
        unexpected=entry.unexpected + meaning.unexpected,
    )


def _possible(value: int, numbers: Numbers) -> tuple[str, ...]:
    """Kinds of a swapped entry whose type is hidden."""
    if value & GUARD_REGION and "guard" in numbers.markers:
        return (k.MARKER_GUARD,)
    plain = [kind for kind in dict.fromkeys(numbers.types) if kind != k.MARKER]
    return (*plain, *(k.MARKERS[name] for name in numbers.markers if name != "guard"))


def _uffd_wp(value: int, numbers: Numbers) -> bool | None:
    if value & UFFD_WP:
        return True
    return False if numbers.uffd_wp and numbers.pagemap_uffd_wp else None


def _unexpected(value: int, numbers: Numbers) -> tuple[str, ...]:
    known = FRAME | MMAP_EXCLUSIVE | FILE | SWAP | PRESENT
    known |= SOFT_DIRTY * numbers.soft_dirty
    known |= UFFD_WP * (numbers.uffd_wp and numbers.pagemap_uffd_wp)
    known |= GUARD_REGION * ("guard" in numbers.markers)
    if not value & (SWAP | PRESENT):
        known &= ~FRAME
    return bits.names_of(value & ~known)
