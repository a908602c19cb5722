# SPDX-License-Identifier: GPL-2.0-only
"""The C side's arithmetic, compiled natively, against the boundaries that the Python side publishes."""

import ctypes as ct
import subprocess
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiler import slots
from profiler.hooks import program

U64 = (1 << 64) - 1
u64s = st.integers(0, U64) | st.integers(0, 64).flatmap(
    lambda bits: st.integers(max(0, (1 << bits) - 3), min(U64, (1 << bits) + 3))
)
"""All of u64, evenly and around the powers of two."""

TIMES, PAGES = slots.time_boundaries_ns(), slots.page_boundaries()
SWAP_FILES_AT_LEAST = 22
PTE = (
    "SWAP_FILES_AT_LEAST",
    "PAGE_SWP_UFFD_WP",
    "SWP_LOW_BITS",
    "PTE_MARKER_UFFD_WP",
    "PTE_MARKERS",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ct.CDLL:
    """``buckets.h`` and ``pte.h`` with the constants that the BPF compiler gets."""
    constants = {**slots.definitions(), **{name: program._CONSTANTS[name] for name in PTE}}
    lines = [
        "typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long long u64;",
        "#define INLINE",
        *(f"#define {name} {value}" for name, value in constants.items()),
        *(f'#include "{program.folder() / name}"' for name in ("buckets.h", "pte.h")),
    ]
    folder = tmp_path_factory.mktemp("native")
    source, target = folder / "native.c", folder / "native.so"
    source.write_text("\n".join(lines) + "\n")
    flags = [
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
        "-fsanitize-undefined-trap-on-error",
    ]
    subprocess.run(["gcc", *flags, "-shared", "-fPIC", "-o", target, source], check=True)
    library = ct.CDLL(str(target))
    for name in ("floor_log2", "time_bucket", "page_bucket", "swap_kind", "swap_uffd_wp"):
        function = getattr(library, name)
        function.argtypes = (ct.c_uint64,)
        function.restype = ct.c_uint8 if name.startswith("swap") else ct.c_uint32
    return library


def _check(bucket: Callable[[int], int], boundaries: tuple[int, ...], value: int) -> None:
    found = bucket(value)
    if value > boundaries[-1]:
        assert found >= slots.BUCKETS
    else:
        assert found == bisect_left(boundaries, value)


def test_there_are_as_many_boundaries_as_buckets_each_above_the_last() -> None:
    for boundaries in (TIMES, PAGES):
        assert len(boundaries) == slots.BUCKETS
        assert list(boundaries) == sorted(set(boundaries))
    assert TIMES[0] == slots.TIME_UNIT_NS
    assert PAGES[:4] == (0, 1, 2, 4)


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("index", range(slots.BUCKETS))
def test_at_every_boundary(library: ct.CDLL, index: int, step: int) -> None:
    inside = step <= 0
    for bucket, boundaries in ((library.time_bucket, TIMES), (library.page_bucket, PAGES)):
        value = boundaries[index] + step
        if value < 0:
            continue
        _check(bucket, boundaries, value)
        assert (bucket(value) <= index) is inside


def test_the_smallest_and_the_largest_value(library: ct.CDLL) -> None:
    assert library.time_bucket(0) == library.page_bucket(0) == 0
    assert library.time_bucket(U64) >= slots.BUCKETS
    assert library.page_bucket(U64) >= slots.BUCKETS


@given(value=u64s)
def test_any_time(library: ct.CDLL, value: int) -> None:
    _check(library.time_bucket, TIMES, value)


@given(value=u64s)
def test_any_number_of_pages(library: ct.CDLL, value: int) -> None:
    _check(library.page_bucket, PAGES, value)


@given(value=u64s)
@example(value=0)
def test_floor_log2(library: ct.CDLL, value: int) -> None:
    assert library.floor_log2(value) == max(value.bit_length() - 1, 0)


def _pte(type_: int, offset: int, low: int = 0) -> int:
    """As __swp_entry() in arch/x86/include/asm/pgtable_64.h makes it: the offset inverted, in bits 9-58."""
    return type_ << 59 | (~offset & (1 << 50) - 1) << 9 | low & 0xFE


def _kind(pte: int) -> int:
    """By the formulas of the kernel."""
    offset = (~pte << 5 & U64) >> 14
    return slots.SWAP_KINDS.index("swap_slot" if pte >> 59 < SWAP_FILES_AT_LEAST and offset else "other")


SWAP_SLOT, OTHER = slots.SWAP_KINDS.index("swap_slot"), slots.SWAP_KINDS.index("other")


def test_the_constant_is_the_one_in_use() -> None:
    assert program._CONSTANTS["SWAP_FILES_AT_LEAST"] == SWAP_FILES_AT_LEAST


@pytest.mark.parametrize(
    ("pte", "kind"),
    [
        # Observed in faults: kernel-facts.md, "Swap-entry path".
        (0x07FFFFFFFFFBFA0A, SWAP_SLOT),  # device 0, offset 514, soft-dirty, exclusive
        (0xF7FFFFFFFFFFFC00, OTHER),  # pte marker uffd-wp of 6.1 (type 30)
        (0xFFFFFFFFFFFFFC00, OTHER),  # and of 6.12 and 7.2 (type 31)
        (0xFFFFFFFFFFFFFA00, OTHER),  # POISONED
        (0xFFFFFFFFFFFFF600, OTHER),  # GUARD
        # Computed: offset 0 is the header of a swap file, so never a slot.
        (0x07FFFFFFFFFFFE00, OTHER),  # entry 0:0
        (0x0FFFFFFFFFFFFE00, OTHER),  # entry 1:0
        (0x07FFFFFFFFFFF600, SWAP_SLOT),  # device 0, offset 4
        (26 << 59, OTHER),  # migration with an all-ones pfn
    ],
)
def test_entries_that_were_seen(library: ct.CDLL, pte: int, kind: int) -> None:
    assert library.swap_kind(pte) == kind == _kind(pte)


@given(type_=st.integers(0, 31), offset=st.integers(0, (1 << 50) - 1), low=st.integers(0, 0xFE))
@example(type_=0, offset=0, low=0)
@example(type_=SWAP_FILES_AT_LEAST - 1, offset=1, low=0)
@example(type_=SWAP_FILES_AT_LEAST, offset=1, low=0)
def test_any_entry(library: ct.CDLL, type_: int, offset: int, low: int) -> None:
    wanted = SWAP_SLOT if type_ < SWAP_FILES_AT_LEAST and offset else OTHER
    assert library.swap_kind(_pte(type_, offset, low)) == wanted


@pytest.mark.parametrize("type_", range(32))
def test_every_type_at_the_edges_of_the_offset(library: ct.CDLL, type_: int) -> None:
    offsets = {0, 1, *(1 << bit for bit in range(50)), *((1 << bit) - 1 for bit in range(51))}
    for offset in offsets:
        pte = _pte(type_, offset)
        assert library.swap_kind(pte) == _kind(pte)
        assert (library.swap_kind(pte) == SWAP_SLOT) is (type_ < SWAP_FILES_AT_LEAST and offset > 0)


@given(pte=u64s)
def test_any_u64_as_the_kernels_formulas(library: ct.CDLL, pte: int) -> None:
    assert library.swap_kind(pte) == _kind(pte)


WP_BIT = 1 << 2


@pytest.mark.parametrize(
    ("pte", "uffd_wp"),
    [
        # Observed in faults: kernel-facts.md, "Swap-entry path".
        (0x07FFFFFFFFFBFA0A, False),  # a swap slot, soft-dirty, exclusive
        (0x07FFFFFFFFFBFA0A | WP_BIT, True),
        (0xF7FFFFFFFFFFFC00, True),  # pte marker uffd-wp of 6.1 (type 30)
        (0xFFFFFFFFFFFFFC00, True),  # and of 6.12 and 7.2 (type 31)
        (0xFFFFFFFFFFFFFA00, False),  # POISONED
        (0xFFFFFFFFFFFFF600, False),  # GUARD
        # Computed.
        (WP_BIT, True),  # the bare bit, as a pte
        (0x07FFFFFFFFFFF600, False),  # device 0, offset 4: a slot, its bit clear
        (0x07FFFFFFFFFFFC00, False),  # device 0, offset 1: no marker
    ],
)
def test_uffd_wp_of_entries_that_were_seen(library: ct.CDLL, pte: int, uffd_wp: bool) -> None:
    assert library.swap_uffd_wp(pte) == uffd_wp


@given(
    type_=st.integers(0, SWAP_FILES_AT_LEAST - 1),
    offset=st.integers(0, (1 << 50) - 1),
    low=st.integers(0, 0xFE),
)
@example(type_=0, offset=1, low=0)
def test_a_swap_slot_says_uffd_wp_by_its_bit(library: ct.CDLL, type_: int, offset: int, low: int) -> None:
    assert library.swap_uffd_wp(_pte(type_, offset, low)) == bool(low & WP_BIT)


@given(type_=st.integers(0, 31), pfn=st.integers(16, (1 << 50) - 1), low=st.integers(0, 0xFE))
@example(type_=31, pfn=17, low=0)
def test_an_entry_of_a_page_says_uffd_wp_by_its_bit(library: ct.CDLL, type_: int, pfn: int, low: int) -> None:
    """Migration, hwpoison, device memory, whatever their types are: no process has the first 16 frames."""
    assert library.swap_uffd_wp(_pte(type_, pfn, low)) == bool(low & WP_BIT)


@pytest.mark.parametrize("markers", range(1, 8))
@pytest.mark.parametrize("type_", range(SWAP_FILES_AT_LEAST, 32))
def test_a_marker_says_uffd_wp_by_its_offset(library: ct.CDLL, type_: int, markers: int) -> None:
    """PTE_MARKER_UFFD_WP, _POISONED and _GUARD are 1, 2 and 4; they may stand together."""
    assert library.swap_uffd_wp(_pte(type_, markers)) == markers & 1


@given(pte=u64s)
def test_uffd_wp_of_any_u64_is_yes_or_no(library: ct.CDLL, pte: int) -> None:
    assert library.swap_uffd_wp(pte) in (0, 1)


def test_sources_compiled_are_those_of_the_program() -> None:
    for name in ("buckets.h", "pte.h"):
        assert name in program._FILES
        assert (Path(program.folder()) / name).is_file()
