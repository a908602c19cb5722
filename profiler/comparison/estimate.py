# SPDX-License-Identifier: GPL-2.0-only
"""From the samples of both sides to one row: values, changes and their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, truediv

from ..snapshot import EMPTY
from . import one_run
from .figures import UNWATCHED, Figure, Measurement, Selection
from .replicated import from_replicates
from .resampling import LEAST_UNITS, Replicates, Units, permutation_test
from .resampling import replicate as resample
from .result import Change, Method, Row
from .samples import Sample


@dataclass(frozen=True)
class Stratum:
    """The runs of one workload on both sides. ``name``: of its random stream."""

    name: str
    before: tuple[Sample, ...]
    after: tuple[Sample, ...]
    selection: Selection

    @property
    def blocks(self) -> tuple[int, ...]:
        """Those that both sides have, if they have the same; a single one pairs nothing."""
        before, after = ({sample.block for sample in side} for side in (self.before, self.after))
        return tuple(sorted(before)) if before == after and len(before) > 1 else ()


@dataclass(frozen=True)
class _Measured:
    """A stratum's measurements, by unit."""

    before: tuple[Measurement, ...]
    after: tuple[Measurement, ...]
    paired: bool
    stream: str


def row(figure: Figure, strata: Sequence[Stratum], labels: dict[str, str] | None = None) -> Row:
    """One figure over all strata together."""
    empty = Row(figure, labels or {})
    for side in ("before", "after"):
        for stratum in strata:
            for sample in getattr(stratum, side):
                if why := figure.why_absent(sample, stratum.selection):
                    return replace(empty, why_not=f"{side}: {why}")
    measured = [_measure(figure, stratum) for stratum in strata]
    before, after = _value(figure, [m.before for m in measured]), _value(figure, [m.after for m in measured])
    units = (sum(len(m.before) for m in measured), sum(len(m.after) for m in measured))
    found = replace(empty, before=before, after=after, units=units)
    if before is None or after is None:
        sides = [name for name, value in (("before", before), ("after", after)) if value is None]
        return replace(found, why_not=f"{' and '.join(sides)}: no event")
    found = replace(found, difference=Change(after - before, None), ratio=_ratio(before, after))
    if lost := _lost(figure, strata):
        return replace(found, why_not=lost)
    if len(strata) == 1 and min(units) > 1:
        found = replace(found, values=(_each(measured[0].before), _each(measured[0].after)))
    return _with_limits(found, measured)


def _measure(figure: Figure, stratum: Stratum) -> _Measured:
    blocks = stratum.blocks

    def of(samples: tuple[Sample, ...]) -> tuple[Measurement, ...]:
        found = [figure.measure(sample, stratum.selection) for sample in samples]
        if not blocks:
            return tuple(found)
        grouped = ([m for m, s in zip(found, samples, strict=True) if s.block == block] for block in blocks)
        return tuple(merged(group) for group in grouped)

    # Runs of one block share what the machine did at that time: all workloads are resampled by the same
    # blocks.
    stream = f"blocks {blocks}" if blocks else stratum.name
    return _Measured(of(stratum.before), of(stratum.after), bool(blocks), stream)


def merged(parts: Sequence[Measurement]) -> Measurement:
    """Of several runs together."""
    slots = [part.slot for part in parts if part.slot is not None]
    return Measurement(
        sum(part.numerator for part in parts),
        sum(part.denominator for part in parts),
        reduce(add, slots, EMPTY) if slots else None,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _value(figure: Figure, strata: Sequence[tuple[Measurement, ...]]) -> float | None:
    """Of plain counts the sum of the workloads' means per run; else one numerator over one denominator."""
    tops = [_mean([m.numerator for m in units]) for units in strata]
    bottoms = [_mean([m.denominator for m in units]) for units in strata]
    if figure.per_run:
        return sum(top / bottom for top, bottom in zip(tops, bottoms, strict=True))
    return sum(tops) / sum(bottoms) if sum(bottoms) else None


def _each(units: tuple[Measurement, ...]) -> tuple[float, ...]:
    return tuple(m.numerator / m.denominator for m in units if m.denominator)


def _ratio(before: float, after: float) -> Change | None:
    return Change(after / before, None) if before else None


def _lost(figure: Figure, strata: Sequence[Stratum]) -> str | None:
    if figure.name == UNWATCHED:
        return None
    lost = [
        sum(s.lost_of(figure.family) for stratum in strata for s in getattr(stratum, side))
        for side in ("before", "after")
    ]
    return f"events were lost: {lost[0]} before, {lost[1]} after" if any(lost) else None


def _with_limits(found: Row, measured: list[_Measured]) -> Row:
    sides = [(m.before, m.after) for m in measured]
    if all(_constant(side) for pair in sides for side in pair):
        return _exactly(found)
    if all(len(side) == 1 for pair in sides for side in pair):
        before = merged([m.before[0] for m in measured])
        after = merged([m.after[0] for m in measured])
        if found.figure.per_run:
            before = replace(before, denominator=before.denominator / len(measured))
            after = replace(after, denominator=after.denominator / len(measured))
        return one_run.with_limits(found, before, after, measured[0].stream)
    if any(min(len(b), len(a)) < LEAST_UNITS and not (_constant(b) and _constant(a)) for b, a in sides):
        return replace(found, why_not=f"an interval takes {LEAST_UNITS} runs of each workload on each side")
    return _bootstrap(found, measured)


def _constant(units: tuple[Measurement, ...]) -> bool:
    """Equal in every one of several runs."""
    return len(units) > 1 and len({(m.numerator, m.denominator) for m in units}) == 1


def _exactly(found: Row) -> Row:
    if found.before is None or found.after is None:
        return found
    change, after = found.after - found.before, found.after
    ratio = found.ratio and Change(found.ratio.estimate, (found.ratio.estimate,) * 2)
    return replace(
        found,
        method="exact",
        difference=Change(change, (change, change)),
        ratio=ratio,
        after_limits=(after, after),
    )


def _bootstrap(found: Row, measured: list[_Measured]) -> Row:
    before = reduce(add, (_replicated(found.figure, m, "before", len(measured)) for m in measured)).values()
    after = reduce(add, (_replicated(found.figure, m, "after", len(measured)) for m in measured)).values()
    varying = [m for m in measured if not (_constant(m.before) and _constant(m.after))]
    units = min(min(len(m.before), len(m.after)) for m in varying)
    p_value = None
    if len(measured) == 1:
        only = measured[0]
        p_value = permutation_test(_units(only.before), _units(only.after), only.paired)
    method: Method = "paired bootstrap" if all(m.paired for m in measured) else "bootstrap"
    return from_replicates(replace(found, p_value=p_value), method, before, after, units)


def _units(side: tuple[Measurement, ...]) -> Units:
    return Units(tuple(m.numerator for m in side), tuple(m.denominator for m in side))


def _replicated(figure: Figure, measured: _Measured, side: str, workloads: int) -> Replicates:
    units = _units(measured.before if side == "before" else measured.after)
    stream = measured.stream if measured.paired else f"{measured.stream} {side}"
    drawn = resample(units, stream)
    if figure.per_run:
        # Added up over the workloads, their denominators shall be 1.
        per_run = map(truediv, drawn.numerators, drawn.denominators)
        return Replicates(tuple(per_run), (1 / workloads,) * len(drawn.numerators))
    n = len(units.numerators)
    return Replicates(
        tuple(value / n for value in drawn.numerators), tuple(value / n for value in drawn.denominators)
    )
