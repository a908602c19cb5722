# SPDX-License-Identifier: GPL-2.0-only
"""Exact limits of counts and shares, and Student's t: what the standard library lacks.

All rest on the regularised incomplete beta function, by its continued fraction (NIST DLMF 8.17.22).
"""

from collections.abc import Callable
from functools import cache
from math import exp, inf, lgamma, log, sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2
_TINY = 1e-300
_STEPS = 100_000

Limits = tuple[float, float]


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(X <= x) of a Beta(a, b) variable; a, b > 0."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = exp(a * log(x) + b * log(1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    return front / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + …)), evaluated forwards (Lentz's method)."""
    value = c = 1.0
    d = 0.0
    for step in range(1, _STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def _solve(increasing: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where an increasing function takes a value, by bisection."""
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if increasing(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@cache
def clopper_pearson(hits: int, of: int) -> Limits:
    """Exact limits of a binomial share (Clopper and Pearson 1934), 95 % between them, 2.5 % on each side."""
    low = 0.0 if hits == 0 else _beta_quantile(_TAIL, hits, of - hits + 1)
    high = 1.0 if hits == of else _beta_quantile(1 - _TAIL, hits + 1, of - hits)
    return low, high


def _beta_quantile(q: float, a: float, b: float) -> float:
    # Bracketed by 12 standard deviations: a bisection of the whole of [0, 1] would take twice as long.
    mean = a / (a + b)
    spread = 12 * sqrt(mean * (1 - mean) / (a + b + 1))
    low, high = max(0.0, mean - spread), min(1.0, mean + spread)
    if not beta_cdf(low, a, b) <= q <= beta_cdf(high, a, b):
        low, high = 0.0, 1.0
    return _solve(lambda x: beta_cdf(x, a, b), q, low, high)


def poisson(events: int) -> Limits:
    """Limits of a Poisson mean: Byar's approximation of the exact ones (Breslow and Day 1987, 2.3)."""
    z = NormalDist().inv_cdf(1 - _TAIL)
    low = events * (1 - 1 / (9 * events) - z / (3 * sqrt(events))) ** 3 if events else 0.0
    more = events + 1
    return max(0.0, low), more * (1 - 1 / (9 * more) + z / (3 * sqrt(more))) ** 3


def rate_ratio(before: int, after: int, exposure_before: float, exposure_after: float) -> Limits | None:
    """Exact limits of the ratio after / before of two Poisson rates, given their total.

    Of ``before + after`` events the share that fell into ``after`` is binomial (Przyborowski and Wilenski
    1940). The upper limit is ``inf`` where nothing occurred before; ``None`` of nothing at all.
    """
    if not before + after:
        return None
    scale = exposure_before / exposure_after
    low, high = clopper_pearson(after, before + after)
    return low / (1 - low) * scale, high / (1 - high) * scale if high < 1 else inf


@cache
def student_t(df: int) -> float:
    """The quantile of Student's t above which 2.5 % lie."""

    def cdf(t: float) -> float:
        return 1 - beta_cdf(df / (df + t * t), df / 2, 0.5) / 2

    return _solve(cdf, 1 - _TAIL, 0.0, 1000.0)


def mover_difference(before: float, b: Limits, after: float, a: Limits) -> Limits:
    """Limits of ``after - before`` from the limits of each (Zou and Donner 2008)."""
    change = after - before
    return (
        change - sqrt((after - a[0]) ** 2 + (b[1] - before) ** 2),
        change + sqrt((a[1] - after) ** 2 + (before - b[0]) ** 2),
    )


def mover_ratio(before: float, b: Limits, after: float, a: Limits) -> Limits:
    """Limits of ``after / before``, both positive or zero (Donner and Zou 2012); the upper may be ``inf``."""
    return (
        _mover_ratio_limit(before, b[1], after, a[0], -1.0),
        _mover_ratio_limit(before, b[0], after, a[1], 1.0) if b[0] > 0 else inf,
    )


def _mover_ratio_limit(before: float, b: float, after: float, a: float, sign: float) -> float:
    product, top, bottom = before * after, a * (2 * after - a), b * (2 * before - b)
    if abs(bottom) < 1e-12 * before**2:
        return top / (2 * product) if product and sign < 0 else 0.0 if sign < 0 else inf
    return (product + sign * sqrt(max(0.0, product**2 - top * bottom))) / bottom
