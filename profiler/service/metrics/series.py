# SPDX-License-Identifier: GPL-2.0-only
"""Slots → samples: every label set from the start, exact cumulative buckets, base units."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate, product
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from ...hooks.planner import Plan
from ...reports import availability
from ...slots import FAMILIES
from ...snapshot import EMPTY, Labels, Slot, Snapshot, boundaries

Exemplars = Mapping[Labels, Mapping[int, Exemplar]]
"""Label values → index of a bucket → the exemplar of that bucket."""


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


_Plain = TypeVar("_Plain", CounterMetricFamily, GaugeMetricFamily)


@cache
def upper_bounds() -> tuple[str, ...]:
    """``le`` of the time buckets in seconds, as Prometheus writes numbers; without ``+Inf``."""
    return tuple(_number(ns / 1e9) for ns in boundaries("page_fault"))


def label_sets(plan: Plan, family: str, axes: Iterable[str]) -> Iterator[Labels]:
    """The closed sets of values, less those that the ways taken cannot tell."""
    values = dict(FAMILIES[family].axes)
    return product(
        *(
            [value for value in values[axis] if availability.value(plan, family, axis, value) is None]
            for axis in axes
        )
    )


def by(snapshot: Snapshot, family: str, axes: tuple[str, ...], **only: tuple[str, ...]) -> dict[Labels, Slot]:
    """Slots summed over the axes that are not named.

    :param only: axis → values that count; other axes count whole.
    """
    names = [name for name, _ in FAMILIES[family].axes]
    kept = [names.index(axis) for axis in axes]
    tests = [(names.index(axis), values) for axis, values in only.items()]
    found: dict[Labels, Slot] = {}
    for labels, slot in snapshot.slots.get(family, {}).items():
        if all(labels[index] in values for index, values in tests):
            key = tuple(labels[index] for index in kept)
            found[key] = found.get(key, EMPTY) + slot
    return found


def histogram(
    name: str,
    documentation: str,
    axes: tuple[str, ...],
    label_sets: Iterable[Labels],
    slots: Mapping[Labels, Slot],
    exemplars: Exemplars | None = None,
) -> HistogramMetricFamily:
    """A histogram of seconds. What lies above the last boundary is in ``+Inf`` alone."""
    family = HistogramMetricFamily(name, documentation, labels=axes)
    for labels in label_sets:
        slot = slots.get(labels, EMPTY)
        examples = exemplars.get(labels, {}) if exemplars else {}
        sums = (*accumulate(slot.buckets), slot.count)
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = [
            (le, events, examples[index]) if index in examples else (le, events)
            for index, (le, events) in enumerate(zip((*upper_bounds(), "+Inf"), sums, strict=True))
        ]
        family.add_metric(labels, buckets, sum_value=slot.sum / 1e9)
    return family


def counter(
    name: str, documentation: str, axes: tuple[str, ...], values: Iterable[tuple[Labels, float]]
) -> CounterMetricFamily:
    """A counter; ``name`` without ``_total``."""
    return _filled(CounterMetricFamily(name, documentation, labels=axes), values)


def gauge(
    name: str, documentation: str, axes: tuple[str, ...], values: Iterable[tuple[Labels, float]]
) -> GaugeMetricFamily:
    """A gauge."""
    return _filled(GaugeMetricFamily(name, documentation, labels=axes), values)


def _filled(family: _Plain, values: Iterable[tuple[Labels, float]]) -> _Plain:
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def single(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return gauge(name, documentation, (), [((), value)])


def each(
    label_sets: Iterable[Labels],
    slots: Mapping[Labels, Slot],
    value: Callable[[Slot], float] = lambda slot: slot.count,
) -> Iterator[tuple[Labels, float]]:
    """A figure of the slot of each label set; of nothing, where it never occurred."""
    return ((labels, value(slots.get(labels, EMPTY))) for labels in label_sets)
