# SPDX-License-Identifier: GPL-2.0-only
"""Intervals where each side is one run: what the spread of the events within it allows to say.

What one run cannot show is how much another run would differ; the reports say so.
"""

from dataclasses import replace

from ..snapshot import EMPTY, Slot, boundaries
from . import histogram
from .distributions import Limits, clopper_pearson, mover_difference, mover_ratio, poisson, rate_ratio
from .figures import Measurement
from .replicated import from_replicates
from .resampling import LEAST_UNITS, expanded_percentiles
from .result import Change, Row


def with_limits(found: Row, before: Measurement, after: Measurement, stream: str) -> Row:
    """The row with its intervals, as the kind of its figure allows."""
    kind = found.figure.kind
    if kind == "count":
        return _counts(found, before, after)
    if kind == "share":
        return _shares(found, before, after)
    if before.slot is None or after.slot is None:
        return replace(found, why_not="of one run its spread is not known")
    return _histograms(found, before, after, stream)


def _counts(found: Row, before: Measurement, after: Measurement) -> Row:
    b, a = int(before.numerator), int(after.numerator)
    if found.before is None or found.after is None or found.difference is None:
        return found
    low, high = poisson(b)
    b_limits = (low / before.denominator, high / before.denominator)
    low, high = poisson(a)
    a_limits = (low / after.denominator, high / after.denominator)
    ratio = rate_ratio(b, a, before.denominator, after.denominator)
    return replace(
        found,
        method="conditional binomial",
        difference=Change(
            found.difference.estimate, mover_difference(found.before, b_limits, found.after, a_limits)
        ),
        ratio=found.ratio and Change(found.ratio.estimate, ratio),
        after_limits=a_limits,
    )


def _shares(found: Row, before: Measurement, after: Measurement) -> Row:
    if found.before is None or found.after is None or found.difference is None:
        return found
    b_limits = clopper_pearson(int(before.numerator), int(before.denominator))
    a_limits = clopper_pearson(int(after.numerator), int(after.denominator))
    return replace(
        found,
        method="binomial",
        difference=Change(
            found.difference.estimate, mover_difference(found.before, b_limits, found.after, a_limits)
        ),
        ratio=found.ratio
        and Change(found.ratio.estimate, mover_ratio(found.before, b_limits, found.after, a_limits)),
        after_limits=a_limits,
    )


def _histograms(found: Row, before: Measurement, after: Measurement, stream: str) -> Row:
    b, a = before.slot or EMPTY, after.slot or EMPTY
    if not b.count and not a.count:
        return replace(found, why_not="neither side has an event")
    if min(side.count for side in (b, a) if side.count) < LEAST_UNITS:
        return replace(found, why_not="too few events for an interval")
    limits = boundaries(found.figure.family)
    per_event = found.figure.kind == "mean"
    drawn = [
        histogram.replicate(
            slot, limits, f"{stream} {side}", per_event=per_event, divisor=whole.denominator
        ).values()
        for side, slot, whole in (("before", b, before), ("after", a, after))
    ]
    if b.count and a.count:
        return from_replicates(found, "histogram", drawn[0], drawn[1], min(b.count, a.count))
    return _histogram_against_nothing(found, (b, before.denominator), (a, after.denominator), drawn)


def _histogram_against_nothing(
    found: Row, before: tuple[Slot, float], after: tuple[Slot, float], drawn: list[list[float | None]]
) -> Row:
    """A side without an event might have had some.

    As many as a Poisson count of 0 allows, each of the largest size seen on the other side.
    """
    if found.before is None or found.after is None or found.difference is None:
        return found
    largest = max(before[0].max, after[0].max)

    def of(slot: Slot, divisor: float, values: list[float | None]) -> Limits:
        if not slot.count:
            return 0.0, poisson(0)[1] * largest / divisor
        low, high = expanded_percentiles([value or 0.0 for value in values], slot.count)
        return max(0.0, low), high

    b, a = of(*before, drawn[0]), of(*after, drawn[1])
    change = mover_difference(found.before, b, found.after, a)
    ratio = found.ratio and Change(found.ratio.estimate, mover_ratio(found.before, b, found.after, a))
    return replace(
        found,
        method="histogram",
        difference=Change(found.difference.estimate, change),
        ratio=ratio,
        after_limits=a,
    )
