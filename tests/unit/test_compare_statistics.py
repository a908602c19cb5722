# SPDX-License-Identifier: GPL-2.0-only
"""The intervals against what is known exactly, and against simulated data whose truth is known."""

import math
from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.comparison import distributions as d
from profiler.comparison import histogram
from profiler.comparison import resampling as r
from profiler.snapshot import Slot, boundaries
from tests.unit import samples

LIMITS = boundaries("read_fault")


def binomial_cdf(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 60), st.data())
def test_limits_of_a_share_leave_a_fortieth_of_the_binomial_on_each_side(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = d.clopper_pearson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    if hits:
        assert 1 - binomial_cdf(hits - 1, n, low) == pytest.approx(0.025, abs=1e-9)
    if hits < n:
        assert binomial_cdf(hits, n, high) == pytest.approx(0.025, abs=1e-9)


def test_limits_of_a_share_hold_for_large_counts() -> None:
    low, high = d.clopper_pearson(500_000, 1_000_000)
    assert (low, high) == pytest.approx((0.49902, 0.50098), abs=1e-5)


@pytest.mark.parametrize(("df", "t"), [(1, 12.7062), (5, 2.5706), (9, 2.2622), (29, 2.0452), (1000, 1.9623)])
def test_quantiles_of_student(df: int, t: float) -> None:
    assert d.student_t(df) == pytest.approx(t, abs=1e-4)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3639, 121.627)],
)
def test_limits_of_a_poisson_mean_are_near_the_exact_ones(events: int, low: float, high: float) -> None:
    assert d.poisson(events) == pytest.approx((low, high), rel=0.02, abs=0.02)


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_ratio_of_rates_turns_over_with_its_sides(b: int, a: int, eb: float, ea: float) -> None:
    one, other = d.rate_ratio(b, a, eb, ea), d.rate_ratio(a, b, ea, eb)
    if one is None or other is None:
        assert a == b == 0
        return
    assert one[0] * other[1] == pytest.approx(1, rel=1e-6) if a else one[0] == 0
    if b:
        assert one[0] <= (a / ea) / (b / eb) * (1 + 1e-9)
        assert one[1] >= (a / ea) / (b / eb) * (1 - 1e-9)
    else:
        assert one[1] == math.inf


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0, 0.9), st.floats(0, 0.9))
def test_intervals_of_changes_hold_their_estimates(b: float, a: float, bw: float, aw: float) -> None:
    b_limits, a_limits = (b * (1 - bw), b * (1 + bw)), (a * (1 - aw), a * (1 + aw))
    low, high = d.mover_difference(b, b_limits, a, a_limits)
    assert low <= a - b <= high
    low, high = d.mover_ratio(b, b_limits, a, a_limits)
    assert low <= a / b * (1 + 1e-6)
    assert high >= a / b * (1 - 1e-6)


def test_a_ratio_to_what_may_be_nothing_has_no_upper_limit() -> None:
    low, high = d.mover_ratio(1.0, (0.0, 3.0), 10.0, (8.0, 12.0))
    assert high == math.inf
    assert 0 <= low < 10


Draw = Callable[[Random, int], tuple[tuple[float, ...], tuple[float, ...]]]


def independent(random: Random, n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Runs that differ by 5 %; 10 % more after."""
    return tuple(random.gauss(100, 5) for _ in range(n)), tuple(random.gauss(110, 5) for _ in range(n))


def in_blocks(random: Random, n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The same, on a machine that is 20 % faster or slower from block to block."""
    before, after = independent(random, n)
    machine = [random.gauss(0, 20) for _ in range(n)]
    return tuple(map(sum, zip(before, machine, strict=True))), tuple(
        map(sum, zip(after, machine, strict=True))
    )


def covered(
    draw: Draw, n: int, streams: tuple[str, str], truth: float, trials: int = 200
) -> tuple[float, float]:
    """Share of intervals that hold the true difference, and their mean width."""
    random = Random(7)  # noqa: S311
    hits, width = 0, 0.0
    for _ in range(trials):
        sides = draw(random, n)
        drawn = [
            r.replicate(r.Units(s, (1.0,) * n), name).values() for s, name in zip(sides, streams, strict=True)
        ]
        low, high = r.expanded_percentiles([(a or 0) - (b or 0) for b, a in zip(*drawn, strict=True)], n)
        hits += low <= truth <= high
        width += high - low
    return hits / trials, width / trials


@pytest.mark.parametrize("n", [r.LEAST_UNITS, 12])
@pytest.mark.parametrize(
    ("draw", "streams"), [(independent, ("before", "after")), (in_blocks, ("blocks", "blocks"))]
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(
    draw: Draw, streams: tuple[str, str], n: int
) -> None:
    share, _ = covered(draw, n, streams, 10)
    assert 0.91 <= share <= 0.99


def test_pairs_take_out_what_the_machine_did() -> None:
    _, paired = covered(in_blocks, 12, ("blocks", "blocks"), 10, 50)
    _, apart = covered(in_blocks, 12, ("before", "after"), 10, 50)
    assert paired < apart / 2


def test_the_same_seed_gives_the_same_resamples() -> None:
    units = r.Units((1.0, 5.0, 2.0, 9.0, 4.0, 4.0), (1.0,) * 6)
    first = r.replicate(units, "x")
    r.draws.cache_clear()
    assert r.replicate(units, "x") == first
    assert r.replicate(units, "y") != first


@given(st.lists(st.floats(1, 100), min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_permutation_test_is_exact(values: list[float], random: Random) -> None:
    """By another way: all sign flips of the differences, added up one by one, and nothing rounded."""
    other = [value + random.uniform(-5, 6) for value in values]
    n = len(values)
    p = r.permutation_test(r.Units(tuple(values), (1.0,) * n), r.Units(tuple(other), (1.0,) * n), paired=True)
    changes = [Fraction(b) - Fraction(a) for a, b in zip(values, other, strict=True)]
    both = sum(map(Fraction, (*values, *other)), Fraction(0))
    seen = abs(sum(changes, Fraction(0))) * (1 - Fraction(1, 10**9)) - both / 10**12
    flips = [
        sum((c if mask >> i & 1 else -c for i, c in enumerate(changes)), Fraction(0))
        for mask in range(1 << n)
    ]
    assert p == pytest.approx(sum(abs(f) >= seen for f in flips) / len(flips), abs=2 / len(flips))
    assert p is not None
    assert p >= 2 / len(flips)


def test_a_difference_of_rounding_alone_is_none() -> None:
    """Whichever way it is added up."""
    for units in ((6.0, 4.0), (0.1, 0.2, 0.3), (1e9, 3.3, 7.7, 1e-3)):
        before = r.Units(units, (1.0,) * len(units))
        after = r.Units(tuple(value * (1 + 2**-52) for value in units), (1.0,) * len(units))
        assert r.permutation_test(before, after, paired=True) == 1
        assert r.permutation_test(before, after, paired=False) == 1


def test_runs_that_do_not_overlap_have_the_smallest_p_value() -> None:
    before, after = r.Units((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (1.0,) * 6), r.Units((7.0,) * 6, (1.0,) * 6)
    assert r.permutation_test(before, after, paired=False) == pytest.approx(2 / math.comb(12, 6))
    assert r.permutation_test(before, after, paired=True) == pytest.approx(2 / 2**6)


def test_too_many_arrangements_are_not_counted_out() -> None:
    many = r.Units(tuple(map(float, range(1, 31))), (1.0,) * 30)
    assert r.permutation_test(many, many, paired=True) is None
    assert r.permutation_test(many, many, paired=False) is None


@given(st.lists(st.integers(0, 40_000_000_000), min_size=1, max_size=60))
def test_the_worst_case_of_a_histogram_keeps_count_and_sum_and_spreads_no_less(values: list[int]) -> None:
    slot = samples.slot("read_fault", values)
    masses = histogram.worst_case(slot, LIMITS)
    assert sum(n for _, n in masses) == len(values)
    assert sum(value * n for value, n in masses) == pytest.approx(sum(values), rel=1e-9, abs=1e-6)
    squares = sum(value * value * n for value, n in masses)
    # One event may lie within its bucket, so that the sum is exact; it cannot take more off than its bucket.
    assert squares >= sum(v * v for v in values) * (1 - 1e-9) - 1e-6


@pytest.mark.parametrize("seed", [1])
def test_an_interval_from_histograms_holds_the_truth_at_least_as_often_as_it_says(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    mean = 3_000 * math.exp(0.5**2 / 2)
    hits, trials = 0, 25
    for trial in range(trials):
        slot = samples.slot("read_fault", [int(3_000 * random.lognormvariate(0, 0.5)) for _ in range(200)])
        drawn = histogram.replicate(slot, LIMITS, f"{seed} {trial}", per_event=True, divisor=1).values()
        low, high = r.expanded_percentiles([value or 0 for value in drawn], slot.count)
        hits += low <= mean <= high
    assert hits >= 0.95 * trials - 2


def test_a_histogram_without_a_maximum_is_bounded_by_its_sum() -> None:
    slot = samples.slot("read_fault", [30_000_000_000, 100])
    without = Slot(slot.count, slot.sum, 0, 0, slot.buckets)
    assert max(value for value, _ in histogram.worst_case(without, LIMITS)) <= slot.sum
