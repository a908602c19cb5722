# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory → :class:`~profiler.snapshot.Snapshot`, without a system call into BPF."""

import mmap
import struct
import time
from collections.abc import Iterator
from itertools import product
from types import MappingProxyType

from .slots import BACKINGS, BUCKETS, FAMILIES, REASONS, RECENT_ROWS, SLOTS, SLOW_BUCKET, WORDS
from .snapshot import EMPTY, Labels, Recent, Slot, Snapshot, Waiter

_SLOT_BYTES = WORDS * 8
_SLOT = struct.Struct(f"<4Q{BUCKETS}Q")
_COUNT = struct.Struct("<Q")
_WAITING = struct.Struct("<QQIIII")
_RECENT = struct.Struct("<QQQQII")


class Reader:
    """Maps the slots and the tables read-only; the descriptors may be closed then.

    :param recent_fd: notes of slow userfaults.
    :param cpus: number of CPU rows in the slots and the notes.
    :param rows: number of rows in the table of waiting threads.
    """

    def __init__(self, slots_fd: int, waiting_fd: int, recent_fd: int, cpus: int, rows: int) -> None:
        self._cpus = cpus
        self._slots = mmap.mmap(slots_fd, cpus * SLOTS * _SLOT_BYTES, mmap.MAP_SHARED, mmap.PROT_READ)
        self._waiting = mmap.mmap(waiting_fd, rows * _WAITING.size, mmap.MAP_SHARED, mmap.PROT_READ)
        size = cpus * RECENT_ROWS * _RECENT.size
        self._recent = mmap.mmap(recent_fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
        self._labels = [(family.name, labels) for family in FAMILIES.values() for labels in family.labels()]

    def read(self, recursion_misses: dict[str, int | None] | None = None) -> Snapshot:
        """The figures of this moment."""
        recent = self._read_recent()  # ahead of the slots, so that each is in their counts
        data = self._slots[:]
        now = time.monotonic_ns()
        found: dict[str, dict[Labels, Slot]] = {name: {} for name in FAMILIES}
        for index, (family, labels) in enumerate(self._labels):
            slot = EMPTY
            for cpu in range(self._cpus):
                offset = (cpu * SLOTS + index) * _SLOT_BYTES
                if _COUNT.unpack_from(data, offset)[0]:
                    slot = slot + decode(data, offset)
            if slot.count:
                found[family][labels] = slot
        frozen = {name: MappingProxyType(slots) for name, slots in found.items()}
        return Snapshot(
            now,
            0,
            MappingProxyType(frozen),
            self._read_waiting(),
            MappingProxyType(recursion_misses or {}),
            _count(found["userfault_wait_begun"]) - _count(found["userfault_wait"]),
            recent,
        )

    def _read_waiting(self) -> tuple[Waiter, ...]:
        rows = []
        for start, address, tid, tgid, reason, backing in _WAITING.iter_unpack(self._waiting[:]):
            if start:
                rows.append(Waiter(start, address, tid, tgid, REASONS[reason], BACKINGS[backing]))
        return tuple(sorted(rows, key=lambda row: row.start_ns))

    def _read_recent(self) -> tuple[Recent, ...]:
        return tuple(sorted(newest(self._recent[:], self._recent[:]), key=lambda last: last.end_ns))

    def close(self) -> None:
        """Unmap."""
        self._slots.close()
        self._waiting.close()
        self._recent.close()


def _count(slots: dict[Labels, Slot]) -> int:
    return sum(slot.count for slot in slots.values())


def decode(data: bytes, offset: int = 0) -> Slot:
    """One slot. A bucket may be seen ahead of its count; the count is never left behind the buckets."""
    count, total, wait, highest, *buckets = _SLOT.unpack_from(data, offset)
    return Slot(max(count, sum(buckets)), total, wait, highest, tuple(buckets))


_RECENT_LABELS = tuple(product(REASONS, BACKINGS, range(SLOW_BUCKET, BUCKETS + 1)))


def newest(once: bytes, again: bytes) -> Iterator[Recent]:
    """The newest note of each label set over all CPUs, from two copies of the table made one after the other.

    A row is left out while it is written: a write that overlaps the first copy shows in the counters, which
    then differ (``bpf/recent.h``), or the second copy of the row is unlike the first.
    """
    found: dict[int, tuple[int, ...]] = {}
    for index, (begun, done, *note) in enumerate(_RECENT.iter_unpack(once)):
        if not begun or begun != done:
            continue
        row = slice(index * _RECENT.size, (index + 1) * _RECENT.size)
        if once[row] != again[row]:
            continue
        known = found.get(index % RECENT_ROWS)
        if known is None or known[1] < note[1]:
            found[index % RECENT_ROWS] = tuple(note)
    for index, (ns, end_ns, tgid, tid) in found.items():
        yield Recent(*_RECENT_LABELS[index], ns, end_ns, tgid, tid)
