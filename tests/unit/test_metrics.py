# SPDX-License-Identifier: GPL-2.0-only
"""A scrape: exact, complete from the start, and named by the rules of the field."""

import math
import os
import re
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics

from profiler.hooks.catalogue import HOOKS
from profiler.service.exposition import COLLECTORS, NAMES, UnknownCollectorError, choose
from profiler.service.metrics.profiler import HOOK_OF_CAUSE
from profiler.slots import BUCKETS, MISSED, time_boundaries_ns
from profiler.snapshot import Recent, Slot
from tests.exposition import GOLDEN, families, series, value
from tests.unit import samples
from tests.unit.moments import OPENMETRICS, TEXT, UNIX_OFFSET, moment, scrape

ABBREVIATED = {"s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "pb", "m", "h", "d"}
CLASHING = {"type", "le", "quantile", "region", "zone", "env", "service", "stage", "job", "instance"}


def _steady(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"(?m)^(uffd_profiler_scrape_duration_seconds) .*", r"\1 0.0", text)
    return re.sub(r'python="[^"]*"', 'python="3"', text)


def test_the_whole_scrape_is_as_kept() -> None:
    """Renew it with UFFD_RENEW_GOLDEN=1, and read what changed."""
    text = _steady(scrape(moment(samples.by_tracepoints())))
    if os.environ.get("UFFD_RENEW_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("name", samples.ALL)
def test_names_follow_the_rules(name: str) -> None:
    for family in families(scrape(moment(samples.ALL[name]()))).values():
        assert family.name.startswith("uffd_"), family.name
        assert family.documentation, family.name
        assert not ABBREVIATED & set(family.name.split("_")), family.name
        if family.type == "histogram":
            assert family.name.endswith(("_duration_seconds", "_wait_seconds")), family.name
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            own = set(sample.labels) - ({"le"} if family.type == "histogram" else set())
            assert not own & CLASHING, sample
            assert "total" not in sample.labels.values()
        # One prefix for the kernel's behaviour, one for the profiler itself.
        about_kernel = family.name.removeprefix("uffd_").split("_")[0] in (
            "page", "read", "gup", "fault", "userfault", "userfaults", "resolve", "swap", "shmem",
        )  # fmt: skip
        assert about_kernel != family.name.startswith("uffd_profiler_"), family.name


def test_every_series_is_there_from_the_start() -> None:
    used = samples.by_fentry()
    fresh = replace(used, total=samples.snapshot({}, misses=dict(used.total.recursion_misses)))
    assert series(scrape(moment(used))) == series(scrape(moment(fresh)))


def test_figures_that_no_way_gives_are_absent_and_not_zero() -> None:
    by_tracepoints = families(scrape(moment(samples.by_tracepoints())))
    assert "uffd_gup_read_faults" not in by_tracepoints
    assert "uffd_fault_around_mapped_pages" not in by_tracepoints
    assert "uffd_swap_entry_fault_duration_seconds" not in by_tracepoints
    origins = {s.labels["origin"] for s in by_tracepoints["uffd_page_fault_duration_seconds"].samples}
    assert origins == {"user", "kernel"}
    outcomes = {s.labels["fault_around"] for s in by_tracepoints["uffd_read_fault_duration_seconds"].samples}
    assert not {"returned_early", "not_entered"} & outcomes
    by_fentry = families(scrape(moment(samples.by_fentry())))
    assert {"uffd_gup_read_faults", "uffd_fault_around_mapped_pages"} <= set(by_fentry)
    nothing = families(scrape(moment(samples.empty())))
    assert not {name for name in nothing if name.startswith(("uffd_read_fault", "uffd_userfault"))}


def test_exact_figures() -> None:
    text = scrape(moment(samples.by_fentry()))
    read = {"uffd_mode": "wp", "backing": "shmem", "fault_around": "skipped"}
    assert value(text, "uffd_read_fault_duration_seconds_count", **read) == 4099
    minor = {"uffd_mode": "minor", "backing": "shmem", "fault_around": "skipped"}
    assert value(text, "uffd_read_fault_userspace_wait_seconds_total", **minor) == 0.031415926
    around = {"uffd_mode": "missing", "backing": "shmem"}
    assert value(text, "uffd_fault_around_runs_total", **around) == 263
    assert value(text, "uffd_fault_around_empty_runs_total", **around) == 5
    assert value(text, "uffd_fault_around_mapped_pages_total", **around) == 16 * 258
    gup = {"uffd_mode": "missing", "backing": "shmem", "fault_around": "ran"}
    assert value(text, "uffd_gup_read_faults_total", **gup) == 13
    anon = {"reason": "missing", "backing": "anon"}
    assert value(text, "uffd_userfaults_begun_total", **anon) == 502
    assert value(text, "uffd_userfaults_total", **anon, result="nowait") == 11
    assert value(text, "uffd_userfault_wait_seconds_count", **anon) == 500
    assert value(text, "uffd_userfault_rewaits_total", **anon) == 2
    assert value(text, "uffd_userfaults_waiting", **anon) == 2
    assert value(text, "uffd_userfaults_waiting", reason="minor", backing="shmem") == 1
    assert value(text, "uffd_fault_around_verdict", uffd_mode="wp", verdict="skipped") == 1
    assert value(text, "uffd_fault_around_verdict", uffd_mode="wp", verdict="ran") == 0
    assert value(text, "uffd_fault_around_policy_violated", uffd_mode="wp") == 0
    assert value(text, "uffd_fault_around_bytes") == 65536
    assert value(text, "uffd_profiler_hook_attached", hook="userfault", way="fentry") == 1
    assert value(text, "uffd_profiler_overhead_program_runs_total", program="raw_sched_switch") == 40_009


def test_the_oldest_waiter_by_the_time_of_day() -> None:
    oldest = "uffd_userfault_oldest_start_timestamp_seconds"
    begun = (samples.NOW - 12 * samples.SECOND + UNIX_OFFSET) / 1e9
    assert value(scrape(moment(samples.by_fentry())), oldest) == begun
    nobody = replace(samples.by_fentry(), total=samples.snapshot(samples.fentry_slots()))
    assert math.isnan(value(scrape(moment(nobody)), oldest))


def test_a_violated_policy() -> None:
    violated = scrape(moment(samples.by_fentry(), policy="seed"))
    name = "uffd_fault_around_policy_violated"
    assert value(violated, name, uffd_mode="missing") == 1
    assert value(violated, name, uffd_mode="wp") == 0
    # Not exercised is no violation.
    assert value(violated, name, uffd_mode="missing+wp") == 0
    assert "policy" not in scrape(moment(samples.by_fentry(), policy=None))


def test_missed_events_by_hook() -> None:
    text = scrape(moment(samples.with_misses()))
    name = "uffd_profiler_missed_events_total"
    assert value(text, name, hook="fault", reason="threads_full") == 7
    assert value(text, name, hook="swap_entry", reason="recursion") == 3
    assert value(text, "uffd_fault_around_verdict", uffd_mode="wp", verdict="not_exercised") == 1
    assert set(HOOK_OF_CAUSE) == set(MISSED)
    assert set(HOOK_OF_CAUSE.values()) <= {hook.name for hook in HOOKS}


def test_without_run_statistics_no_overhead_is_claimed() -> None:
    assert "overhead" not in scrape(moment(samples.by_fentry(), runs=None))


@given(
    st.lists(st.integers(0, 1 << 40), min_size=BUCKETS, max_size=BUCKETS),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 62),
)
def test_buckets_are_cumulative_and_infinity_is_everything(events: list[int], above: int, total: int) -> None:
    slot = Slot(sum(events) + above, total, 0, 1 << 63, tuple(events))
    profile = replace(samples.empty(), total=samples.snapshot({"page_fault": {("user",): slot}}))
    (family,) = [
        f
        for f in families(scrape(moment(profile), exclude=tuple(set(NAMES) - {"page_fault"}))).values()
        if f.type == "histogram"
    ]
    found = [s for s in family.samples if s.labels["origin"] == "user"]
    buckets = {s.labels["le"]: s.value for s in found if s.name.endswith("_bucket")}
    bounds = [float(le) for le in buckets]
    assert bounds == [*(ns / 1e9 for ns in time_boundaries_ns()), math.inf]
    assert list(buckets.values()) == [*accumulate(events), slot.count]
    (count,) = (s.value for s in found if s.name.endswith("_count"))
    (added,) = (s.value for s in found if s.name.endswith("_sum"))
    assert count == slot.count
    assert added == total / 1e9


def test_recent_slow_userfaults_are_exemplars() -> None:
    profile = samples.by_fentry()
    recent = Recent("missing", "anon", 15, 3_000_000, samples.NOW - samples.SECOND, 4242, 4243)
    above = Recent("missing", "anon", BUCKETS, 20 * samples.SECOND, samples.NOW, 4242, 4244)
    seen = replace(profile, total=replace(profile.total, recent=(recent, above)))
    text = scrape(moment(seen), OPENMETRICS)
    samples_of = [
        s
        for f in openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for s in f.samples
        if s.name == "uffd_userfault_wait_seconds_bucket" and s.exemplar
    ]
    assert [s.labels["le"] for s in samples_of] == ["0.004096", "+Inf"]
    (first, last) = (s.exemplar for s in samples_of)
    assert first
    assert last
    assert first.labels == {"pid": "4242", "tid": "4243"}
    assert first.value == 0.003
    assert first.timestamp is not None
    assert abs(float(first.timestamp) - (samples.NOW - samples.SECOND + UNIX_OFFSET) / 1e9) < 1e-3
    assert last.value == 20
    assert "# {" not in scrape(moment(seen), TEXT)


def test_collectors_are_chosen_by_name() -> None:
    assert choose([], []) == NAMES
    assert choose(["userfault"], []) == ("userfault",)
    assert "userfault" not in choose([], ["userfault"])
    with pytest.raises(UnknownCollectorError):
        choose(["nonsense"], [])
    only = families(scrape(moment(samples.by_fentry()), exclude=tuple(set(NAMES) - {"verdict"})))
    assert {name.split("_policy")[0] for name in only} == {
        "uffd_fault_around_verdict", "uffd_fault_around_bytes", "uffd_fault_around",
    }  # fmt: skip
    assert set(COLLECTORS) < set(NAMES)
