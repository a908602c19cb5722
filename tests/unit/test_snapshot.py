# SPDX-License-Identifier: GPL-2.0-only
"""Snapshots subtract, slots add up, and a quantile is where the events are."""

from bisect import bisect_left
from itertools import pairwise
from math import ceil
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiler.slots import (
    BESIDE_THE_FAULT,
    BUCKETS,
    FAMILIES,
    MISSED,
    page_boundaries,
    time_boundaries_ns,
)
from profiler.snapshot import EMPTY, Labels, Recent, Slot, Snapshot, boundaries

TIMES = time_boundaries_ns()
numbers = st.integers(0, 1 << 40)


def slot_of(values: list[int], bounds: tuple[int, ...] = TIMES) -> Slot:
    """What the BPF side counts for these values."""
    buckets = [0] * BUCKETS
    for value in values:
        index = bisect_left(bounds, value)
        if index < BUCKETS:
            buckets[index] += 1
    return Slot(len(values), sum(values), 0, max(values, default=0), tuple(buckets))


slots = st.builds(
    Slot,
    numbers,
    numbers,
    numbers,
    numbers,
    st.lists(numbers, min_size=BUCKETS, max_size=BUCKETS).map(tuple),
)


def snapshot(
    figures: dict[str, dict[Labels, Slot]],
    at: int = 0,
    misses: dict[str, int | None] | None = None,
    waiting_now: int = 0,
    recent: tuple[Recent, ...] = (),
) -> Snapshot:
    families = {name: MappingProxyType(figures.get(name, {})) for name in FAMILIES}
    return Snapshot(
        at, 0, MappingProxyType(families), (), MappingProxyType(misses or {}), waiting_now, recent
    )


@given(slots, slots, slots)
def test_slots_add_in_any_order(a: Slot, b: Slot, c: Slot) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + EMPTY == a


@given(slots, slots)
def test_subtraction_undoes_addition(a: Slot, b: Slot) -> None:
    back = (a + b) - b
    assert (back.count, back.sum, back.wait, back.buckets) == (a.count, a.sum, a.wait, a.buckets)
    # The maximum cannot be undone: it is the session's, or nothing of nothing.
    assert back.max == (max(a.max, b.max) if a.count else 0)


@given(slots)
def test_nothing_remains_of_a_slot_less_itself(a: Slot) -> None:
    assert a - a == EMPTY


@given(st.lists(numbers), st.lists(numbers))
def test_a_slot_of_all_values_is_the_sum_of_two(one: list[int], two: list[int]) -> None:
    assert slot_of(one) + slot_of(two) == slot_of(one + two)


def test_mean() -> None:
    assert slot_of([100, 200]).mean == 150
    assert EMPTY.mean is None


def test_a_snapshot_less_an_earlier_one() -> None:
    earlier = snapshot({"page_fault": {("user",): slot_of([100])}}, at=1000, misses={"a": 2, "b": None})
    now = snapshot(
        {"page_fault": {("user",): slot_of([100, 300]), ("gup",): slot_of([7])}},
        at=5000,
        misses={"a": 5, "b": None, "new": 3},
        waiting_now=4,
    )
    between = now - earlier
    assert (between.monotonic_ns, between.duration_ns) == (5000, 4000)
    assert between.total("page_fault", origin="user") == slot_of([300])
    assert between.total("page_fault", origin="gup") == slot_of([7])
    assert between.recursion_misses == {"a": 3, "b": None, "new": 3}
    # How many wait is a level, not a counter.
    assert between.waiting_now == 4


def test_between_two_snapshots_are_the_userfaults_that_ended_between_them() -> None:
    ended = [Recent("minor", "shmem", 14 + n, 2_000_000, end, 1, n) for n, end in enumerate((90, 100, 101))]
    earlier, now = snapshot({}, at=100), snapshot({}, at=200, recent=tuple(ended))
    assert (now - earlier).recent == tuple(ended[2:])
    assert (now - snapshot({}, at=0)).recent == tuple(ended)


@pytest.mark.parametrize("cause", MISSED)
def test_lost_is_what_a_figure_of_a_fault_may_lack(cause: str) -> None:
    lost = snapshot({"missed": {(cause,): Slot(3)}}, misses={"a": 4, "b": None}).lost
    assert lost == (4 if cause in BESIDE_THE_FAULT else 7)


def test_intervals_add_up_to_the_whole() -> None:
    moments = [
        snapshot({"page_fault": {("user",): slot_of(list(range(100, 100 + n)))}}, at=n) for n in (0, 3, 3, 10)
    ]
    parts = [later - earlier for earlier, later in pairwise(moments)]
    whole = moments[-1] - moments[0]
    summed = EMPTY
    for part in parts:
        summed = summed + part.total("page_fault")
    assert summed == whole.total("page_fault")
    assert sum(part.duration_ns for part in parts) == whole.duration_ns


def test_a_family_that_the_earlier_snapshot_lacks_counts_from_zero() -> None:
    earlier = Snapshot(0, 0, MappingProxyType({}))
    now = snapshot({"missed": {("threads_full",): Slot(count=2)}})
    assert (now - earlier).total("missed").count == 2


def test_a_snapshot_is_frozen() -> None:
    value = snapshot({"page_fault": {("user",): slot_of([1])}})
    with pytest.raises(AttributeError):
        value.monotonic_ns = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        value.slots["page_fault"][("user",)] = EMPTY  # type: ignore[index]
    with pytest.raises(TypeError):
        (value - value).slots["page_fault"] = {}  # type: ignore[index]


FILLED = snapshot(
    {
        "read_fault": {
            labels: Slot(count=1 << index)
            for index, labels in enumerate(FAMILIES["read_fault"].labels())
            if index < 1000
        }
    }
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            axis: st.sampled_from(values) | st.sets(st.sampled_from(values))
            for axis, values in FAMILIES["read_fault"].axes
        },
    )
)
def test_total_sums_what_matches_and_nothing_else(wanted: dict[str, str | set[str]]) -> None:
    axes = [axis for axis, _ in FAMILIES["read_fault"].axes]
    expected = 0
    for index, labels in enumerate(FAMILIES["read_fault"].labels()):
        by_axis = dict(zip(axes, labels, strict=True))
        if all(by_axis[axis] in ({v} if isinstance(v, str) else v) for axis, v in wanted.items()):
            expected |= 1 << index
    assert FILLED.total("read_fault", **wanted).count == expected


def test_total_takes_any_iterable_of_values() -> None:
    two = FILLED.total("read_fault", origin=iter(("user", "gup"))).count
    one = FILLED.total("read_fault", origin="user").count
    assert two == one + FILLED.total("read_fault", origin="gup").count > one


def test_total_of_an_unknown_label_or_family_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="colour"):
        FILLED.total("read_fault", colour="red")
    with pytest.raises(KeyError):
        FILLED.total("nonesuch")


def test_total_of_what_never_occurred_is_nothing() -> None:
    assert FILLED.total("missed") == EMPTY
    assert FILLED.total("missed", cause=MISSED) == EMPTY


def test_boundaries_are_of_the_familys_unit() -> None:
    assert boundaries("fault_around_run") == page_boundaries()
    assert boundaries("read_fault") == TIMES


values = st.lists(st.integers(0, 2 * TIMES[-1]) | st.sampled_from(TIMES), min_size=1, max_size=40)


@given(values, st.floats(0, 1))
@example([0], 0.5)
@example([TIMES[-1] + 1], 0.99)
@example([1, TIMES[-1] + 1], 0.99)
def test_a_quantile_is_the_boundary_above_the_value(seen: list[int], q: float) -> None:
    slot = slot_of(seen)
    rank = max(ceil(q * len(seen)), 1)
    value = sorted(seen)[rank - 1]
    index = bisect_left(TIMES, value)
    upper = TIMES[index] if index < BUCKETS else slot.max
    found = slot.quantile(q, TIMES)
    assert found == min(upper, slot.max)
    assert found is not None
    assert value <= found <= slot.max


@given(values, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_quantile_is_no_lower(seen: list[int], one: float, two: float) -> None:
    slot = slot_of(seen)
    low, high = slot.quantile(min(one, two), TIMES), slot.quantile(max(one, two), TIMES)
    assert low is not None
    assert high is not None
    assert low <= high


@given(st.lists(st.integers(0, 600), min_size=1), st.floats(0, 1))
def test_a_quantile_of_pages(seen: list[int], q: float) -> None:
    slot = slot_of(seen, page_boundaries())
    found = slot.quantile(q, page_boundaries())
    assert found is not None
    assert min(seen) <= found <= max(seen)


def test_there_is_no_quantile_of_nothing_or_of_a_bare_count() -> None:
    assert EMPTY.quantile(0.5, TIMES) is None
    assert Slot(count=3).quantile(0.5, TIMES) is None
