# SPDX-License-Identifier: GPL-2.0-only
"""What one run counted: the slots of its profile, and what they are to be divided by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from ..slots import BESIDE_THE_FAULT, FAMILIES, MISSED, Family
from ..snapshot import Labels, Slot, Snapshot, boundaries
from .documents import ProfileDocument


class MalformedError(ValueError):
    """A document contradicts itself, or names what this version does not know; the message is a clause."""


@dataclass(frozen=True)
class Sample:
    """One run.

    ``absent``: the profile's ``unavailable``, by its keys. ``touched_pages``: 4 KiB pages that the workload
    touched, ``None`` where nobody counted them. ``exposure``: what a plain count is divided by: one run of a
    command, or the seconds of a window of a machine that goes on. ``block``: the pair that it belongs to.
    ``unwatched_ns``: time of the same touches while nothing was attached, ``None`` where it was not taken.
    ``lost``: events missed that any figure may lack; ``lost_beside``: cause → those that few families may.
    """

    total: Snapshot
    absent: Mapping[str, str]
    touched_pages: int | None
    exposure: float
    block: int
    unwatched_ns: int | None
    lost: int
    lost_beside: Mapping[str, int]

    def lost_of(self, family: str | None) -> int:
        """Events missed that a figure of this family may lack; of ``None``, that any may."""
        return self.lost + sum(
            events
            for cause, events in self.lost_beside.items()
            if family is None or family in BESIDE_THE_FAULT[cause]
        )

    def why_absent(self, keys: Iterable[str]) -> str | None:
        """Why one of these (keys of ``absent``) is missing; ``None`` if all are there."""
        return next((self.absent[key] for key in keys if key in self.absent), None)


def sample(
    document: ProfileDocument,
    touched_pages: int | None = None,
    block: int = 0,
    unwatched_ns: int | None = None,
) -> Sample:
    """The sample of one profile.

    :raises MalformedError: a label, a count or a bucket that cannot be.
    """
    families = document["families"]
    wanted = FAMILIES.keys() - {"missed"}
    if families.keys() != wanted:
        raise MalformedError(f"families has other names than expected: {sorted(families.keys() ^ wanted)}")
    slots = {name: _family(FAMILIES[name], found or []) for name, found in families.items()}
    causes = document["missed"]["causes"]
    if causes.keys() != set(MISSED):
        raise MalformedError(
            f"missed.causes has other names than expected: {sorted(causes.keys() ^ set(MISSED))}"
        )
    recursion = sum(program["count"] or 0 for program in document["missed"]["recursion"])
    beside = {cause: causes[cause] for cause in BESIDE_THE_FAULT}
    runs_once = touched_pages is not None or document["scope"]["command"] is not None
    return Sample(
        Snapshot(0, document["duration_ns"], MappingProxyType(slots)),
        MappingProxyType(_absences(document)),
        touched_pages,
        1.0 if runs_once else max(1, document["duration_ns"]) / 1e9,
        block,
        unwatched_ns,
        sum(causes.values()) - sum(beside.values()) + recursion,
        MappingProxyType(beside),
    )


def of_backing(found: Sample, backing: str) -> Sample:
    """The same run, of the families with a backing only the slots of that one.

    A workload knows its memory; beside it, it faults in a page or two of its own code, now here, now there.
    """
    slots = {
        name: MappingProxyType({labels: slot for labels, slot in by.items() if _is_of(name, labels, backing)})
        for name, by in found.total.slots.items()
    }
    return replace(found, total=replace(found.total, slots=MappingProxyType(slots)))


def _is_of(family: str, labels: Labels, backing: str) -> bool:
    axes = [axis for axis, _ in FAMILIES[family].axes]
    return "backing" not in axes or labels[axes.index("backing")] == backing


def _absences(document: ProfileDocument) -> dict[str, str]:
    """With the families that are null, should ``unavailable`` not name them."""
    unnamed = {name: "not available" for name, found in document["families"].items() if found is None}
    return unnamed | document["unavailable"]


def _family(family: Family, entries: list[dict[str, Any]]) -> Mapping[Labels, Slot]:
    found: dict[Labels, Slot] = {}
    for entry in entries:
        labels = tuple(_label(family, axis, values, entry) for axis, values in family.axes)
        if labels in found:
            raise MalformedError(f"{family.name} has the label set {', '.join(labels)} twice")
        found[labels] = _slot(family, entry)
    return MappingProxyType(found)


def _label(family: Family, axis: str, values: tuple[str, ...], entry: dict[str, Any]) -> str:
    value = entry.get(axis)
    if not isinstance(value, str) or value not in values:
        raise MalformedError(f"{family.name} has {axis} {value!r:.40}, which this version does not know")
    return value


def _slot(family: Family, entry: dict[str, Any]) -> Slot:
    unit = "pages" if family.pages else "ns"
    count = _number(family, entry, "count")
    above = _above_null(family, entry, f"max_{unit}")
    buckets = entry.get("buckets")
    return Slot(
        count,
        _above_null(family, entry, f"sum_{unit}"),
        _above_null(family, entry, "wait_ns"),
        above,
        Slot().buckets if buckets is None else _buckets(family, unit, buckets, count),
    )


def _above_null(family: Family, entry: dict[str, Any], key: str) -> int:
    """0 stands for a figure that is null or that the family has not; ``Sample.absent`` tells those apart."""
    return 0 if entry.get(key) is None else _number(family, entry, key)


def _number(family: Family, entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise MalformedError(f"{family.name} has {key} {value!r:.40}, which is no count")
    return value


def _buckets(family: Family, unit: str, buckets: Any, count: int) -> tuple[int, ...]:
    limits = [*boundaries(family.name), "+Inf"]
    well_formed = isinstance(buckets, list) and all(isinstance(bucket, dict) for bucket in buckets)
    if not well_formed or [bucket.get(f"le_{unit}") for bucket in buckets] != limits:
        raise MalformedError(f"{family.name} has buckets with other boundaries than this version's")
    cumulative = [0, *(_number(family, bucket, "count") for bucket in buckets)]
    if cumulative != sorted(cumulative) or cumulative[-1] != count:
        raise MalformedError(f"{family.name} has buckets that do not add up to its count")
    return tuple(b - a for a, b in pairwise(cumulative[:-1]))
