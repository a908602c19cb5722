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


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ct.CDLL:
    """``buckets.h`` with the constants that the BPF compiler gets."""
    lines = [
        "typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long long u64;",
        "#define INLINE",
        *(f"#define {name} {value}" for name, value in slots.definitions().items()),
        f'#include "{program.folder() / "buckets.h"}"',
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
    for name in ("floor_log2", "time_bucket", "page_bucket"):
        function = getattr(library, name)
        function.argtypes = (ct.c_uint64,)
        function.restype = ct.c_uint32
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


def test_the_source_compiled_is_that_of_the_program() -> None:
    assert "buckets.h" in program._FILES
    assert (Path(program.folder()) / "buckets.h").is_file()
