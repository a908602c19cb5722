# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory is read as it stands there, whatever stands there."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.reader import Reader, decode
from profiler.slots import (
    BACKINGS,
    BUCKETS,
    FAMILIES,
    REASONS,
    RECENT_ROWS,
    SLOTS,
    SLOW_BUCKET,
    SLOW_BUCKETS,
    WORDS,
)
from profiler.snapshot import Labels, Recent, Slot, Snapshot

SLOT_BYTES = WORDS * 8
NOTE = struct.Struct("<QQQQII")
ROW_BYTES = 32
U64 = (1 << 64) - 1


def pack(slot: Slot) -> bytes:
    return struct.pack(f"<{WORDS}Q", slot.count, slot.sum, slot.wait, slot.max, *slot.buckets)


class Memory:
    """Stands in for the three mapped arrays."""

    def __init__(self, cpus: int, rows: int) -> None:
        self.cpus, self.rows = cpus, rows
        self.slots, self.waiting = os.memfd_create("slots"), os.memfd_create("waiting")
        os.truncate(self.slots, cpus * SLOTS * SLOT_BYTES)
        self.recent = os.memfd_create("recent")
        os.truncate(self.waiting, rows * ROW_BYTES)
        os.truncate(self.recent, cpus * RECENT_ROWS * NOTE.size)

    def put(self, cpu: int, family: str, labels: Labels, slot: Slot) -> None:
        index = FAMILIES[family].base + list(FAMILIES[family].labels()).index(labels)
        os.pwrite(self.slots, pack(slot), (cpu * SLOTS + index) * SLOT_BYTES)

    def wait(
        self, row: int, start: int, address: int, tid: int, tgid: int, reason: int, backing: int
    ) -> None:
        data = struct.pack("<QQIIII", start, address, tid, tgid, reason, backing)
        os.pwrite(self.waiting, data, row * ROW_BYTES)

    def note(self, cpu: int, labels: tuple[str, str, int], *note: int) -> None:
        """``note``: begun, done, ns, end_ns, tgid, tid."""
        reason, backing, bucket = labels
        pair = REASONS.index(reason) * len(BACKINGS) + BACKINGS.index(backing)
        row = cpu * RECENT_ROWS + pair * SLOW_BUCKETS + bucket - SLOW_BUCKET
        os.pwrite(self.recent, NOTE.pack(*note), row * NOTE.size)

    def close(self) -> None:
        for fd in (self.slots, self.waiting, self.recent):
            os.close(fd)


@contextmanager
def mapped(cpus: int = 1, rows: int = 1) -> Iterator[tuple[Memory, Reader]]:
    memory = Memory(cpus, rows)
    reader = Reader(memory.slots, memory.waiting, memory.recent, cpus, rows)
    try:
        yield memory, reader
    finally:
        reader.close()
        memory.close()


def everything(snapshot: Snapshot) -> dict[tuple[str, Labels], Slot]:
    return {(f, labels): slot for f, found in snapshot.slots.items() for labels, slot in found.items()}


@given(st.binary(min_size=SLOT_BYTES, max_size=SLOT_BYTES))
def test_any_bytes_are_a_slot(data: bytes) -> None:
    slot = decode(data)
    assert slot.count >= sum(slot.buckets)
    words = struct.unpack(f"<{WORDS}Q", data)
    assert (slot.sum, slot.wait, slot.max, *slot.buckets) == words[1:]


@given(st.lists(st.integers(0, U64 >> 8), min_size=BUCKETS, max_size=BUCKETS), st.integers(0, 1 << 40))
def test_what_lies_above_the_last_boundary_is_in_the_count_alone(buckets: list[int], above: int) -> None:
    slot = Slot(sum(buckets) + above, 1, 2, 3, tuple(buckets))
    if slot.count <= U64:
        assert decode(pack(slot)) == slot


def test_a_bucket_seen_ahead_of_its_count() -> None:
    slot = Slot(4, 9, 0, 9, (5, *[0] * (BUCKETS - 1)))
    assert decode(pack(slot)).count == 5


@given(st.integers(0, 63))
def test_decoding_starts_at_the_offset(before: int) -> None:
    slot = Slot(1, 2, 3, 4, (1, *[0] * (BUCKETS - 1)))
    assert decode(b"\xff" * before + pack(slot) + b"\xff" * 8, before) == slot


@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_the_rows_of_the_cpus_are_added(cpus: int) -> None:
    labels = ("user", "wp", "file", "skipped")
    with mapped(cpus) as (memory, reader):
        for cpu in range(cpus):
            buckets = tuple(int(index == cpu) for index in range(BUCKETS))
            memory.put(cpu, "read_fault", labels, Slot(1, 10**cpu, 2, 7 * (cpu + 1), buckets))
        found = everything(reader.read())
    wanted = tuple(int(index < cpus) for index in range(BUCKETS))
    total = Slot(cpus, sum(10**cpu for cpu in range(cpus)), 2 * cpus, 7 * cpus, wanted)
    assert found == {("read_fault", labels): total}


def test_every_slot_is_read_under_its_own_labels() -> None:
    with mapped(2) as (memory, reader):
        wanted = {}
        for family in FAMILIES.values():
            for index, labels in enumerate(family.labels()):
                count = family.base + index + 1
                memory.put(count % 2, family.name, labels, Slot(count=count))
                wanted[family.name, labels] = Slot(count=count)
        assert everything(reader.read()) == wanted
    assert len(wanted) == SLOTS


def test_all_families_are_there_when_nothing_occurred() -> None:
    with mapped(2) as (_, reader):
        snapshot = reader.read()
    assert set(snapshot.slots) == set(FAMILIES)
    assert everything(snapshot) == {}
    assert snapshot.waiting == ()
    assert snapshot.waiting_now == 0


def test_a_snapshot_does_not_change_any_more() -> None:
    with mapped() as (memory, reader):
        memory.put(0, "page_fault", ("user",), Slot(count=1))
        before = reader.read()
        memory.put(0, "page_fault", ("user",), Slot(count=2))
        after = reader.read()
        assert before.total("page_fault").count == 1
        assert after.total("page_fault").count == 2
        assert after.monotonic_ns > before.monotonic_ns
        assert (after - before).total("page_fault").count == 1


def test_reading_needs_no_descriptor_any_more() -> None:
    memory = Memory(1, 1)
    memory.put(0, "page_fault", ("gup",), Slot(count=3))
    reader = Reader(memory.slots, memory.waiting, memory.recent, 1, 1)
    memory.close()
    assert reader.read().total("page_fault", origin="gup").count == 3
    reader.close()


def test_waiting_threads_oldest_first_free_rows_left_out() -> None:
    with mapped(rows=4) as (memory, reader):
        memory.wait(0, 300, 0x1000, 11, 10, REASONS.index("wp"), BACKINGS.index("hugetlb"))
        memory.wait(1, 0, 0x9000, 99, 99, 0, 0)  # free, with what stood there before
        memory.wait(3, 100, U64, 21, 20, REASONS.index("minor"), BACKINGS.index("shmem"))
        waiting = reader.read().waiting
    assert [(w.start_ns, w.address, w.tid, w.tgid, w.reason, w.backing) for w in waiting] == [
        (100, U64, 21, 20, "minor", "shmem"),
        (300, 0x1000, 11, 10, "wp", "hugetlb"),
    ]


def test_how_many_wait_is_begun_less_ended_also_beyond_the_table() -> None:
    with mapped(cpus=2, rows=1) as (memory, reader):
        for cpu, (reason, backing) in enumerate(islice(FAMILIES["userfault_wait"].labels(), 2)):
            memory.put(cpu, "userfault_wait_begun", (reason, backing), Slot(count=7))
        # A thread may go to sleep on one cpu and be woken on another.
        memory.put(1, "userfault_wait", next(FAMILIES["userfault_wait"].labels()), Slot(count=3))
        snapshot = reader.read()
    assert snapshot.waiting_now == 11
    assert snapshot.waiting == ()


def test_recursion_misses_are_passed_on() -> None:
    with mapped() as (_, reader):
        assert reader.read({"raw_x": 3, "event": None}).recursion_misses == {"raw_x": 3, "event": None}


def test_recent_userfaults_oldest_first_the_newest_of_all_cpus() -> None:
    with mapped(cpus=3) as (memory, reader):
        assert reader.read().recent == ()
        memory.note(0, ("minor", "shmem", 15), 7, 7, 3_000_000, 500, 10, 11)
        memory.note(2, ("minor", "shmem", 15), 1, 1, 2_500_000, 900, 20, 21)
        memory.note(1, ("minor", "shmem", 15), 2, 2, 2_600_000, 700, 30, 31)
        memory.note(1, ("wp", "hugetlb", BUCKETS), 1, 1, 1 << 40, 600, 40, 41)
        memory.note(0, ("missing", "shmem", SLOW_BUCKET), 1, 1, 1_024_001, 550, 50, 51)
        assert reader.read().recent == (
            Recent("missing", "shmem", SLOW_BUCKET, 1_024_001, 550, 50, 51),
            Recent("wp", "hugetlb", BUCKETS, 1 << 40, 600, 40, 41),
            Recent("minor", "shmem", 15, 2_500_000, 900, 20, 21),
        )


def test_a_note_that_is_being_written_is_left_out() -> None:
    with mapped(cpus=2) as (memory, reader):
        memory.note(0, ("wp", "anon", 20), 3, 2, 70_000_000, 900, 1, 2)
        assert reader.read().recent == ()
        memory.note(1, ("wp", "anon", 20), 4, 4, 80_000_000, 100, 3, 4)
        assert [last.tid for last in reader.read().recent] == [4]
