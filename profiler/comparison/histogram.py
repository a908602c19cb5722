# SPDX-License-Identifier: GPL-2.0-only
"""The spread of one run's times, from a slot: the bootstrap that a single profile allows.

A slot has the exact count and sum, and how many events lie in each bucket. Where within its bucket an event
lies is not known. So the events are put where their spread is the largest that count, sum, buckets and
maximum allow: every event at the lower or the upper end of its bucket. An interval made from that is never
too narrow on this account. What one run cannot show at all is how much another run would differ.
"""

from functools import lru_cache
from math import exp
from random import Random

from ..snapshot import Slot
from .resampling import RESAMPLES, SEED, Replicates

Mass = tuple[float, int]
"""A value, and how many events have it."""

_NORMAL = 50
"""A Poisson number of a mean above this is drawn as a normal one."""


def worst_case(slot: Slot, limits: tuple[int, ...]) -> list[Mass]:
    """The events with the largest spread that the slot allows; their sum is that of the slot.

    The second moment of a bucket from ``low`` to ``high`` grows by ``low + high`` for each unit that its
    events move from the lower end towards the upper one: the sum is used up from the highest bucket down.
    """
    above = slot.count - sum(slot.buckets)
    highest = slot.max or slot.sum
    ends = [(low + 1, high) for low, high in zip((-1, *limits), (*limits, highest), strict=True)]
    events = [*slot.buckets, above]
    left = slot.sum - sum(low * n for (low, _), n in zip(ends, events, strict=True))
    masses: list[Mass] = []
    for (low, high), n in reversed(list(zip(ends, events, strict=True))):
        width = max(0, min(high, highest) - low)
        up = min(n, max(0, left) // width) if width else 0
        left -= up * width
        if n > up and 0 < left < width:
            masses.append((low + left, 1))
            n -= 1
            left = 0
        masses += [(low + width, up), (low, n - up)]
    return [(float(value), n) for value, n in masses if n]


def replicate(
    slot: Slot, limits: tuple[int, ...], stream: str, *, per_event: bool, divisor: float
) -> Replicates:
    """Resamples of the sum, over the count (``per_event``) or over ``divisor``.

    The number of events of each value is drawn from a Poisson distribution, so the count varies as well.
    """
    sums, counts = _drawn(slot, limits, stream)
    return Replicates(sums, counts if per_event else (divisor,) * RESAMPLES)


@lru_cache(maxsize=8)
def _drawn(slot: Slot, limits: tuple[int, ...], stream: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    random = Random(f"{SEED} histogram {stream}")  # noqa: S311
    sums, counts = [0.0] * RESAMPLES, [0.0] * RESAMPLES
    for value, n in worst_case(slot, limits):
        for index in range(RESAMPLES):
            drawn = _poisson(random, n)
            counts[index] += drawn
            sums[index] += drawn * value
    return tuple(sums), tuple(counts)


def _poisson(random: Random, mean: int) -> float:
    if mean > _NORMAL:
        return max(0.0, random.gauss(mean, mean**0.5))
    limit, product, drawn = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        drawn += 1
    return float(drawn)
