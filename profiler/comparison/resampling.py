# SPDX-License-Identifier: GPL-2.0-only
"""Bootstrap over runs, and the exact permutation test of the same runs.

What is resampled is a *unit*: one run, or one block where both sides have the same blocks. A figure of a
side is the sum of its numerators divided by the sum of its denominators, over the units drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from math import comb, isfinite, sqrt
from operator import add, itemgetter
from random import Random
from statistics import NormalDist

from .distributions import Limits, student_t

SEED = 20201130
RESAMPLES = 2000
LEAST_UNITS = 6
"""Units per side for an interval: of 5 pairs no exact test can tell a difference at 5 % (2 / 2^5 is 6 %)."""

MOST_ARRANGEMENTS = 4096
"""Beyond these the permutation test is left out."""

Pick = Callable[[Sequence[float]], tuple[float, ...]]


@dataclass(frozen=True)
class Units:
    """Numerators and denominators of one side, one per unit."""

    numerators: tuple[float, ...]
    denominators: tuple[float, ...]

    @property
    def value(self) -> float:
        """The figure over all units."""
        return sum(self.numerators) / sum(self.denominators)


@dataclass(frozen=True)
class Replicates:
    """Sums over the units drawn, one per resample, of one side."""

    numerators: tuple[float, ...]
    denominators: tuple[float, ...]

    def __add__(self, other: "Replicates") -> "Replicates":
        """Of two cells together: a resample of the one beside a resample of the other."""
        return Replicates(
            tuple(map(add, self.numerators, other.numerators)),
            tuple(map(add, self.denominators, other.denominators)),
        )

    def values(self) -> list[float | None]:
        """The figure in each resample; ``None`` where its denominator came out as 0."""
        return [n / d if d else None for n, d in zip(self.numerators, self.denominators, strict=True)]


@lru_cache(maxsize=64)
def draws(units: int, stream: str) -> tuple[Pick, ...]:
    """The resamples of so many units, the same for each ``stream`` at every call."""
    random = Random(f"{SEED} {units} {stream}")  # noqa: S311
    indices = range(units)
    return tuple(itemgetter(*random.choices(indices, k=units)) for _ in range(RESAMPLES))


def replicate(units: Units, stream: str) -> Replicates:
    """Resample one side; two figures of one stream see the same units in each resample."""
    picks = draws(len(units.numerators), stream)
    return Replicates(_sums(units.numerators, picks), _sums(units.denominators, picks))


def _sums(values: tuple[float, ...], picks: tuple[Pick, ...]) -> tuple[float, ...]:
    if len(set(values)) == 1:
        return (values[0] * len(values),) * len(picks)
    return tuple(sum(pick(values)) for pick in picks)


def expanded_percentiles(values: Sequence[float], units: int) -> Limits:
    """The percentile interval, expanded for small samples, and no narrower than the classical one.

    A plain percentile interval is too narrow by what Student's t and the divisor n - 1 are for the classical
    one: its tails are made smaller to match (Hesterberg 2015, "What Teachers Should Know About the
    Bootstrap", section 4.4). Of few units the resamples have no such tails: then the same multiple of their
    standard deviation reaches further, and is taken.

    :param units: of the smaller side.
    """
    reach = sqrt(units / (units - 1)) * student_t(units - 1)
    ordered = sorted(values)
    outside = int(NormalDist().cdf(-reach) * len(ordered))
    low, high = ordered[outside], ordered[-1 - outside]
    mean = sum(ordered) / len(ordered)
    if isfinite(mean) and low < high:
        half = reach * sqrt(sum((value - mean) ** 2 for value in ordered) / len(ordered))
        low, high = min(low, mean - half), max(high, mean + half)
    return low, high


def permutation_test(before: Units, after: Units, paired: bool) -> float | None:
    """Share of all arrangements whose difference is at least as large as the one seen, on either side.

    At least two units a side. Two-sided and exact: every exchange of the labels "before" and "after" within
    pairs, or of all units where there are none. ``None`` where there are more than
    :data:`MOST_ARRANGEMENTS`.
    """
    m, n = len(before.numerators), len(after.numerators)
    if (2**n if paired else comb(m + n, n)) > MOST_ARRANGEMENTS:
        return None
    masks = _exchanges(n) if paired else _choices(m + n, n)
    top = [*before.numerators, *after.numerators]
    bottom = [*before.denominators, *after.denominators]
    all_top, all_bottom = sum(top), sum(bottom)
    if not sum(before.denominators) or not sum(after.denominators):
        return None
    # As large as the one seen but for rounding: of this difference, and of the figures it is left over from.
    rounding = 1e-12 * (abs(before.value) + abs(after.value))
    seen = abs(after.value - before.value) * (1 - 1e-9) - rounding
    extreme = possible = 0
    for mask in masks:
        a, b = sum(mask(top)), sum(mask(bottom))
        rest = all_bottom - b
        if b and rest:
            possible += 1
            extreme += abs(a / b - (all_top - a) / rest) >= seen
    return extreme / possible


@cache
def _exchanges(n: int) -> tuple[Pick, ...]:
    """For each choice of pairs to exchange, what stands as "after"; unit ``i`` and ``n + i`` are a pair."""
    return tuple(itemgetter(*(i if mask >> i & 1 else n + i for i in range(n))) for mask in range(1 << n))


@cache
def _choices(units: int, chosen: int) -> tuple[Pick, ...]:
    return tuple(itemgetter(*indices) for indices in combinations(range(units), chosen))
