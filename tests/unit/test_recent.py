# SPDX-License-Identifier: GPL-2.0-only
"""Notes of slow userfaults: the C side, compiled natively and raced for, against the reader."""

import ctypes as ct
import mmap
import os
import struct
import subprocess
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import slots
from profiler.hooks import program
from profiler.reader import newest
from profiler.snapshot import Recent

ROW = struct.Struct("<QQQQII")
SIZE = slots.RECENT_ROWS * ROW.size
PAIRS = [(reason, backing) for reason in slots.REASONS for backing in slots.BACKINGS]

# Stands in for BPF: one CPU, a map that is shared memory, and as thread id what the note must go with.
NATIVE = """
#include <pthread.h>
#include <stdbool.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>
typedef uint8_t u8; typedef uint32_t u32; typedef uint64_t u64; typedef int32_t s32;
#define INLINE static inline
#define CPUS 1
#define BPF_F_TABLE(...)
struct recent;
static struct recent *row_of(u32 *key);
static struct { struct recent *(*lookup)(u32 *); } recent = {row_of};
static __thread u64 identity, turn;
static u32 bpf_get_smp_processor_id(void) { return 0; }
/* Called half-way through a note: a good moment to let another writer run. */
static u64 bpf_get_current_pid_tgid(void)
{
    if (turn++ % 4 == 1)
        sched_yield();
    return identity;
}
"""
RACE = """
static struct recent *rows;
static struct recent *row_of(u32 *key) { return *key < RECENT_ROWS ? rows + *key : 0; }
void map_rows(void *memory) { rows = memory; }
void note(u32 pair, u64 ns, u64 end_ns, u64 id) { identity = id; recent_note(pair, ns, end_ns); }

static volatile bool stop;
static pthread_t writers[16];
static void *race(void *first)
{
    /* All in bucket 20; the other words follow from the wait. */
    for (u64 n = (uintptr_t)first; !stop; n = n * 6364136223846793005u + 1442695040888963407u) {
        u64 ns = 70000000 + (n >> 40) % 50000000;
        note(0, ns, ns * 3, ns << 32 | (u32)~ns);
        if (n >> 61 == 0) /* else the row would never be at rest, and be seen */
            usleep(n >> 40 & 127);
    }
    return 0;
}
void race_start(u32 threads)
{
    stop = false;
    for (u32 i = 0; i < threads; i++)
        pthread_create(&writers[i], 0, race, (void *)(uintptr_t)(i + 1));
}
void race_stop(u32 threads)
{
    stop = true;
    for (u32 i = 0; i < threads; i++)
        pthread_join(writers[i], 0);
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ct.CDLL:
    lines = [
        NATIVE,
        *(f"#define {name} {value}" for name, value in slots.definitions().items()),
        *(f'#include "{program.folder() / name}"' for name in ("buckets.h", "recent.h")),
        RACE,
    ]
    folder = tmp_path_factory.mktemp("native")
    source, target = folder / "native.c", folder / "native.so"
    source.write_text("\n".join(lines) + "\n")
    flags = ["-O2", "-Wall", "-Wextra", "-Wno-unused-function", "-pthread"]
    subprocess.run(["gcc", *flags, "-shared", "-fPIC", "-o", target, source], check=True)
    library = ct.CDLL(str(target))
    library.note.argtypes = (ct.c_uint32, ct.c_uint64, ct.c_uint64, ct.c_uint64)
    library.map_rows.argtypes = (ct.c_void_p,)
    return library


@pytest.fixture
def memory(library: ct.CDLL) -> Iterator[mmap.mmap]:
    """The table, empty."""
    fd = os.memfd_create("recent")
    os.truncate(fd, SIZE)
    memory = mmap.mmap(fd, SIZE)
    os.close(fd)
    library.map_rows(ct.addressof(ct.c_char.from_buffer(memory)))
    yield memory
    library.map_rows(None)


def read(memory: mmap.mmap) -> list[Recent]:
    return list(newest(memory[:], memory[:]))


LIMITS = slots.time_boundaries_ns()


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("bucket", range(slots.SLOW_BUCKET, slots.BUCKETS + 1))
def test_a_note_is_found_under_its_labels(
    library: ct.CDLL, memory: mmap.mmap, pair: tuple[str, str], bucket: int
) -> None:
    """At both ends of its bucket."""
    highest = LIMITS[bucket] if bucket < slots.BUCKETS else 1 << 63
    for ns in (LIMITS[bucket - 1] + 1, highest):
        library.note(PAIRS.index(pair), ns, ns + 5, 11 << 32 | 12)
        assert read(memory) == [Recent(*pair, bucket, ns, ns + 5, 11, 12)]


@given(ns=st.integers(0, LIMITS[slots.SLOW_BUCKET - 1]))
def test_what_is_not_slow_leaves_no_note(library: ct.CDLL, ns: int) -> None:
    memory = ct.create_string_buffer(SIZE)
    library.map_rows(ct.addressof(memory))
    library.note(5, ns, 1, 1)
    assert memory.raw == bytes(SIZE)


def test_the_last_note_stays(library: ct.CDLL, memory: mmap.mmap) -> None:
    for n in range(1, 8):
        library.note(3, 2_000_000 - n, n, n)
    assert [(last.ns, last.end_ns, last.tid) for last in read(memory)] == [(2_000_000 - 7, 7, 7)]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_no_note_is_ever_seen_torn(library: ct.CDLL, memory: mmap.mmap, threads: int) -> None:
    """Harder than the kernel: there, writers of one row only take turns on their CPU."""
    seen: set[int] = set()
    library.race_start(threads)
    try:
        until, deadline = time.monotonic() + 0.7, time.monotonic() + 60
        while time.monotonic() < until or (len(seen) < 50 and time.monotonic() < deadline):
            for last in read(memory):
                low = last.ns & 0xFFFFFFFF
                assert (last.end_ns, last.tgid, last.tid) == (last.ns * 3, low, ~low & 0xFFFFFFFF)
                seen.add(last.ns)
    finally:
        library.race_stop(threads)
    assert len(seen) >= 50
    # Nobody who gave up has blocked the row for good.
    library.note(0, 80_000_000, 1 << 60, 9)
    assert [last.tid for last in read(memory)] == [9]


def test_a_writer_that_died_inside_blocks_only_its_row(library: ct.CDLL, memory: mmap.mmap) -> None:
    memory[: ROW.size] = ROW.pack(5, 4, 1, 2, 3, 4)
    library.note(0, LIMITS[slots.SLOW_BUCKET], 7, 7)
    assert read(memory) == []
    library.note(1, LIMITS[slots.SLOW_BUCKET], 7, 7)
    assert [last.tid for last in read(memory)] == [7]


few = st.integers(0, 2)
tables = st.lists(st.tuples(few, few, few, few, few, few), min_size=4, max_size=4)


@given(tables, tables)
def test_only_rows_that_stand_still_are_read(
    once: list[tuple[int, ...]], again: list[tuple[int, ...]]
) -> None:
    pad = bytes(SIZE - 4 * ROW.size)
    copies = (b"".join(ROW.pack(*row) for row in rows) + pad for rows in (once, again))
    found = [(last.bucket - slots.SLOW_BUCKET, last.ns, last.end_ns) for last in newest(*copies)]
    assert found == [
        (index, row[2], row[3])
        for index, (row, same) in enumerate(zip(once, again, strict=True))
        if row == same and row[0] == row[1] > 0
    ]
