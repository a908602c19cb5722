# SPDX-License-Identifier: GPL-2.0-only
"""pagemap: what it tells of an entry, and that the rest is unknown."""

import ctypes as ct
import mmap
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.kernel.userfaultfd import address
from profiler.pte import bits, encode, from_kernel, pagemap, vma
from profiler.pte import kinds as k
from profiler.pte.decode import decode_pte
from profiler.pte.entry import Entry
from profiler.pte.layout import Facts, Layout, candidates
from profiler.pte.named import NAMES, named
from profiler.pte.pagemap import decode_pagemap

KERNEL = named("debian-6.1")
NEW = named("debian-7.2")
UNKNOWN = Layout("unknown", candidates(Facts()))
U64 = st.integers(0, bits.U64)
_MADV_GUARD_INSTALL = 102


def value_of(entry: Entry) -> int:
    """What pte_to_pagemap_entry() makes of a swap pte, shown to CAP_SYS_ADMIN."""
    assert entry.type is not None
    assert entry.offset is not None
    held = entry.pfn if entry.pfn is not None else entry.offset
    value = pagemap.SWAP | entry.type | held << 5
    value |= pagemap.UFFD_WP * bool(entry.uffd_wp) | pagemap.SOFT_DIRTY * bool(entry.soft_dirty)
    return value | pagemap.GUARD_REGION * ("guard" in entry.markers)


@given(
    name=st.sampled_from([name for name in NAMES if "5.10" not in name]),
    type_=st.integers(0, 31),
    offset=st.integers(1, (1 << 34) - 1),
    uffd_wp=st.booleans(),
    soft_dirty=st.booleans(),
)
def test_a_swap_entry_reads_the_same_through_pagemap(
    name: str, type_: int, offset: int, uffd_wp: bool, soft_dirty: bool
) -> None:
    layout = named(name)
    pte = decode_pte(
        encode.swap_entry(type_, offset, uffd_wp=uffd_wp, soft_dirty=soft_dirty), layout.candidates[0]
    )
    seen = decode_pagemap(value_of(pte), layout)
    assert (seen.kinds, seen.type, seen.offset, seen.pfn) == (pte.kinds, type_, offset, pte.pfn)
    assert (seen.uffd_wp, seen.soft_dirty, seen.markers) == (pte.uffd_wp, soft_dirty, pte.markers)
    assert "exclusive" in seen.unknown


@given(value=U64, layout=st.sampled_from([KERNEL, NEW, UNKNOWN]), anonymous=st.none() | st.booleans())
def test_any_value_decodes(value: int, layout: Layout, anonymous: bool | None) -> None:
    entry = decode_pagemap(value, layout, proposal="type0-uffd-bit", vma_is_anonymous=anonymous)
    assert set(entry.kinds) <= set(k.MEANING)
    assert entry.present == bool(value & pagemap.PRESENT)


def test_a_present_page_may_be_prot_none() -> None:
    entry = decode_pagemap(pagemap.PRESENT | 0x1234 | pagemap.MMAP_EXCLUSIVE | pagemap.FILE, KERNEL)
    assert entry.kinds == (k.PRESENT, k.PROT_NONE)
    assert (entry.pfn, entry.flags) == (0x1234, ("mapped_once", "file_or_shared"))


def test_a_hidden_frame_is_unknown() -> None:
    present = decode_pagemap(pagemap.PRESENT, KERNEL)
    assert (present.pfn, "pfn" in present.unknown) == (None, True)
    swapped = decode_pagemap(pagemap.SWAP | pagemap.UFFD_WP, KERNEL)
    assert {k.SWAP_SLOT, k.MARKER_UFFD_WP, k.MIGRATION_READ, k.HWPOISON} <= set(swapped.kinds)
    assert {"type", "offset", "pfn"} <= set(swapped.unknown)
    assert swapped.uffd_wp is True


def test_a_guard_region_is_known_even_with_its_frame_hidden() -> None:
    entry = decode_pagemap(pagemap.SWAP | pagemap.GUARD_REGION, NEW)
    assert entry.kinds == (k.MARKER_GUARD,)
    assert "bit 58" in decode_pagemap(pagemap.SWAP | pagemap.GUARD_REGION, KERNEL).unexpected


@pytest.mark.parametrize("value", [pagemap.PRESENT | 1, pagemap.SWAP | 5 << 5, 0])
def test_a_kernel_whose_pagemap_had_no_uffd_wp_bit_does_not_say_no(value: int) -> None:
    entry = decode_pagemap(value, named("debian-5.10"))
    assert (entry.uffd_wp, "uffd_wp" in entry.unknown) == (None, True)


def test_nothing_mapped() -> None:
    entry = decode_pagemap(pagemap.SOFT_DIRTY, KERNEL)
    assert (entry.kinds, entry.present, entry.soft_dirty, entry.unexpected) == ((k.NONE,), False, True, ())


def test_the_proposals_are_known_here_too() -> None:
    special = decode_pagemap(pagemap.SWAP | 1, KERNEL, proposal="type1-offset0")
    assert special.kinds == (k.UFFD_WP_SPECIAL,)
    bare = pagemap.SWAP | bits.OFFSET_MAX << 5 | pagemap.UFFD_WP
    found = decode_pagemap(bare, KERNEL, proposal="type0-uffd-bit", vma_is_anonymous=False)
    assert found.kinds == (k.UFFD_WP_SPECIAL,)


MAPS = """\
55d000000000-55d000001000 r--p 00000000 08:01 42                         /usr/bin/x y
55d000002000-55d000003000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rw-s 00000000 00:01 7                          /memfd:a (deleted)
7f0000001000-7f0000002000 rw-p 00000000 00:00 0\x20
7f0000002000-7f0000003000 rw-p 00000000 00:00 0                          [anon:name]
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                          [vdso]
"""


@pytest.mark.parametrize(
    ("place", "anonymous", "name"),
    [
        (0x55D000000FFF, False, "/usr/bin/x y"),
        (0x55D000002000, True, "[heap]"),
        (0x7F0000000000, False, "/memfd:a (deleted)"),
        (0x7F0000001800, True, ""),
        (0x7F0000002000, True, "[anon:name]"),
        (0x7FFD00000000, False, "[vdso]"),
    ],
)
def test_what_a_mapping_is_of(place: int, anonymous: bool, name: str) -> None:
    found = vma.vma_at(place, vma.parse(MAPS))
    assert found
    assert (found.anonymous, found.name) == (anonymous, name)


@pytest.mark.parametrize("place", [0, 0x55D000001000, 0x7FFD00001000, bits.U64])
def test_where_nothing_is_mapped(place: int) -> None:
    assert vma.vma_at(place, vma.parse(MAPS)) is None


def read_own(where: int) -> Entry:
    return decode_pagemap(pagemap.read(os.getpid(), where, 1)[0], from_kernel.running())


def test_own_pages_before_and_after_a_touch() -> None:
    with mmap.mmap(-1, 2 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[0] = 1
        where = address(memory)
        first, second = pagemap.read(os.getpid(), where + 7, 2)
        layout = from_kernel.running()
        assert decode_pagemap(first, layout).kinds == (k.PRESENT, k.PROT_NONE)
        assert decode_pagemap(second, layout).kinds == (k.NONE,)
        assert "file_or_shared" not in decode_pagemap(first, layout).flags
        found = vma.vma_at(where, vma.mappings(os.getpid()))
        assert found
        assert found.anonymous


def test_own_page_of_a_file() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * mmap.PAGESIZE)
        file.flush()
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as memory:
            assert memory[0] == ord("x")
            assert "file_or_shared" in read_own(address(memory)).flags
            found = vma.vma_at(address(memory), vma.mappings(os.getpid()))
            assert found
            assert not found.anonymous


def test_own_guard_region_is_a_marker_of_the_number_that_this_layout_says() -> None:
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        where = address(memory)
        if ct.CDLL(None).madvise(ct.c_void_p(where), ct.c_size_t(mmap.PAGESIZE), _MADV_GUARD_INSTALL):
            pytest.skip("the running kernel has no guard regions: boot one that has MADV_GUARD_INSTALL")
        entry = read_own(where)
        assert k.MARKER_GUARD in entry.kinds
        if "type" not in entry.unknown:
            assert (entry.kinds, entry.offset) == ((k.MARKER_GUARD,), 4)
            assert from_kernel.running().types[entry.type or 0] == (k.MARKER,)


def test_a_process_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pagemap.read(1 << 30, 0, 1)
