# SPDX-License-Identifier: GPL-2.0-only
"""The one frozen value that every output is made from.

Two snapshots of one session subtract. Nothing here knows BPF, and nothing downstream needs to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .slots import BESIDE_THE_FAULT, BUCKETS, FAMILIES, MISSED, page_boundaries, time_boundaries_ns

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """Figures of one label set.

    ``count`` events; ``sum`` and ``max`` in ns (in pages for families of pages); ``wait`` in ns: time
    spent waiting for userspace, not in ``sum``; ``buckets``: not cumulative, events above the last
    boundary in none. ``max`` is that of the whole session, also in a difference.
    """

    count: int = 0
    sum: int = 0
    wait: int = 0
    max: int = 0
    buckets: tuple[int, ...] = (0,) * BUCKETS

    def __add__(self, other: "Slot") -> "Slot":
        return Slot(
            self.count + other.count,
            self.sum + other.sum,
            self.wait + other.wait,
            max(self.max, other.max),
            tuple(a + b for a, b in zip(self.buckets, other.buckets, strict=True)),
        )

    def __sub__(self, earlier: "Slot") -> "Slot":
        return Slot(
            self.count - earlier.count,
            self.sum - earlier.sum,
            self.wait - earlier.wait,
            self.max if self.count > earlier.count else 0,
            tuple(a - b for a, b in zip(self.buckets, earlier.buckets, strict=True)),
        )

    @property
    def mean(self) -> float | None:
        """``sum / count``; ``None`` of nothing."""
        return self.sum / self.count if self.count else None

    def quantile(self, q: float, boundaries: tuple[int, ...]) -> int | None:
        """Upper boundary of the bucket that holds the quantile ``q``, no higher than ``max``.

        :returns: ``None`` when there is no event or only a bare count; ``max`` when it lies above the last
            boundary.
        """
        if not self.count or not (self.max or any(self.buckets)):
            return None
        rank = q * self.count
        seen = 0
        for boundary, events in zip(boundaries, self.buckets, strict=True):
            seen += events
            if events and seen >= rank:
                return min(boundary, self.max)
        return self.max


EMPTY = Slot()


@dataclass(frozen=True)
class Waiter:
    """A thread inside handle_userfault now. ``start_ns`` is CLOCK_MONOTONIC."""

    start_ns: int
    address: int
    tid: int
    tgid: int
    reason: str
    backing: str


@dataclass(frozen=True)
class Recent:
    """A slow userfault that ended: the last one of its reason, backing and bucket.

    ``ns``: its whole wait. ``bucket``: index among the buckets that this falls into, ``BUCKETS`` above the
    last boundary. ``end_ns``: CLOCK_MONOTONIC when it was counted. ``tgid``, ``tid``: who waited.
    """

    reason: str
    backing: str
    bucket: int
    ns: int
    end_ns: int
    tgid: int
    tid: int


@dataclass(frozen=True)
class Snapshot:
    """All figures of one moment, or of the time between two.

    ``slots``: family name → label values in the order of the family's axes → :class:`Slot`; label sets
    that never occurred are absent and mean zero. ``waiting_now``: threads inside handle_userfault at the
    end, exact also where the table ``waiting`` is full. ``recursion_misses``: program → runs the kernel left
    out, ``None`` where it does not say. ``recent``: the last slow userfault of each reason, backing and
    bucket of ``userfault``, one that is being written at this very moment left out.
    """

    monotonic_ns: int
    duration_ns: int
    slots: Mapping[str, Mapping[Labels, Slot]]
    waiting: tuple[Waiter, ...] = ()
    recursion_misses: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    waiting_now: int = 0
    recent: tuple[Recent, ...] = ()

    def __sub__(self, earlier: "Snapshot") -> "Snapshot":
        slots = {
            family: MappingProxyType(
                {
                    labels: slot - earlier.slots.get(family, {}).get(labels, EMPTY)
                    for labels, slot in now.items()
                }
            )
            for family, now in self.slots.items()
        }
        misses = {
            program: None if now is None else now - (earlier.recursion_misses.get(program) or 0)
            for program, now in self.recursion_misses.items()
        }
        return Snapshot(
            self.monotonic_ns,
            self.monotonic_ns - earlier.monotonic_ns,
            MappingProxyType(slots),
            self.waiting,
            MappingProxyType(misses),
            self.waiting_now,
            tuple(last for last in self.recent if last.end_ns > earlier.monotonic_ns),
        )

    @property
    def lost(self) -> int:
        """Events missed that a figure of a fault may lack, by us or by the kernel."""
        causes = (cause for cause in MISSED if cause not in BESIDE_THE_FAULT)
        return self.total("missed", cause=causes).count + sum(n or 0 for n in self.recursion_misses.values())

    def total(self, family: str, **labels: str | Iterable[str]) -> Slot:
        """Sum of the slots of a family whose labels match; a label may name several values."""
        axes = [name for name, _ in FAMILIES[family].axes]
        unknown = labels.keys() - set(axes)
        if unknown:
            raise KeyError(f"{family} has no label {sorted(unknown)}")
        wanted = {name: {v} if isinstance(v, str) else set(v) for name, v in labels.items()}
        result = EMPTY
        for values, slot in self.slots.get(family, {}).items():
            if all(value in wanted.get(axis, (value,)) for axis, value in zip(axes, values, strict=True)):
                result = result + slot
        return result


def boundaries(family: str) -> tuple[int, ...]:
    """Bucket boundaries of a family: ns, or pages."""
    return page_boundaries() if FAMILIES[family].pages else time_boundaries_ns()
