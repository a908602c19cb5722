# SPDX-License-Identifier: GPL-2.0-only
"""Text, JSON and HTML say the same, of any profile."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.commands.uffd_wp_entry import COUNTED
from profiler.hooks.planner import Plan
from profiler.profile import Command, KernelFacts, Profile
from profiler.reports import html, text, units
from profiler.reports import json as reports_json
from profiler.slots import BACKINGS, BUCKETS, FAMILIES, MISSED, REASONS
from profiler.snapshot import Labels, Slot, Waiter
from tests.unit import samples
from tests.unit.test_reports_html import walk
from tests.unit.test_reports_json import validator

VALIDATOR = validator("profile")
PLANS = [
    samples.tracepoint_plan(),
    samples.tracepoint_plan({"resolve": True}),
    samples.fentry_plan(),
    samples.fentry_plan(frozenset()),
    samples.fentry_plan(frozenset(samples.NO_SYMBOLS)),
    samples.bare_plan(),
]


def words_of(page: str) -> str:
    """The words of a page, durations written as in the text."""
    plain = unescape(re.sub(r"<[^>]+>", " ", re.sub(r'</?code( class="whole")?>', "", page)))
    return plain.replace("\u2264\u202f", "<=").replace("\u202f\u00b5s", "us").replace("\u202f", "")


@pytest.mark.parametrize("name", ["by_tracepoints", "by_fentry", "with_misses"])
def test_every_figure_is_the_same_in_all_three(name: str) -> None:
    profile = samples.ALL[name]()
    report, page = text.render(profile), words_of(html.render(profile))
    document = json.loads(reports_json.render(profile))
    families = set(FAMILIES) - {"userfault", "userfault_wait_begun", "userfault_wait", "missed"}
    for family in families:
        for entry in document["families"][family] or ():
            figures = [str(entry["count"])]
            if entry.get("max_ns") is not None:
                mean = units.duration(entry["sum_ns"] / entry["count"])
                figures += [mean, units.duration(entry["max_ns"])]
                figures += [units.duration(entry["wait_ns"])] if entry.get("wait_ns") else []
            if entry.get("sum_pages") is not None:
                figures += [str(entry["sum_pages"]), str(entry["max_pages"])]
            row = "[^\n]*?".join(rf"(?<!\S){re.escape(figure)}(?!\S)" for figure in figures)
            for output in (report, page):
                assert re.search(row, output), (family, entry["count"], figures)
    for entry in document["families"]["userfault"]:
        assert re.search(rf"\b{entry['count']}\b", report)
        assert re.search(rf"\b{entry['count']}\b", page)
    for cause, count in document["missed"]["causes"].items():
        assert (units.words(cause) in report) == (units.words(cause) in page) == bool(count)
    for thread in document["waiting"]["threads"]:
        row = rf"{thread['pid']}/{thread['tid']}.*{units.duration(thread['age_ns'])}"
        assert re.search(row, report)
        assert re.search(row, page)
    for verdict in document["verdicts"]:
        if verdict["ran"] or verdict["not_run"]:
            assert " ".join(verdict["reason"].split()) in " ".join(report.split())
            assert verdict["reason"] in page
    for phrase in set(document["unavailable"].values()):
        assert " ".join(phrase.split()) in " ".join(report.split())
        assert phrase in page


BIG = st.one_of(st.integers(0, 40), st.integers(0, 2**62))


@st.composite
def slots(draw: st.DrawFn, family: str) -> Slot:
    buckets = draw(st.lists(BIG, min_size=BUCKETS, max_size=BUCKETS)) if family != "missed" else [0] * BUCKETS
    above = draw(BIG)
    return Slot(sum(buckets) + above, draw(BIG), draw(BIG), draw(BIG), tuple(buckets))


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    found = {}
    for name, family in FAMILIES.items():
        labels = st.sampled_from(list(family.labels()))
        found[name] = draw(st.dictionaries(labels, slots(name), max_size=4))
    waiters = st.builds(Waiter, BIG, BIG, BIG, BIG, st.sampled_from(REASONS), st.sampled_from(BACKINGS))
    programs = st.dictionaries(st.text(max_size=5), st.none() | BIG, max_size=3)
    waiting = tuple(draw(st.lists(waiters, max_size=3)))
    total = samples.snapshot(found, draw(BIG), 2**62, waiting, draw(programs))
    plan: Plan = draw(st.sampled_from(PLANS))
    intervals = samples.intervals_of(total, 3) if draw(st.booleans()) and total.duration_ns > 3 else ()
    words = st.text(st.characters(), max_size=20)
    command = draw(st.none() | st.builds(Command, st.tuples(words, words), st.none() | st.integers(0, 255)))
    doubts = st.lists(words, max_size=2).map(tuple)
    facts = st.builds(KernelFacts, words, words, st.none() | BIG, st.none() | BIG, pte_doubts=doubts)
    kernel = replace(draw(facts), uffd_wp_entry=draw(st.none() | st.sampled_from(COUNTED)))
    return samples.profile(plan, total, intervals, command=command, kernel=kernel, attach_ns=draw(BIG))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(profiles(), st.booleans())
def test_any_profile_can_be_rendered(profile: Profile, all_modes: bool) -> None:
    assert text.render(profile, all_modes).encode()
    walk(html.render(profile, all_modes)).close()
    VALIDATOR.validate(json.loads(reports_json.render(profile)))


def test_missed_causes_have_words() -> None:
    everything: dict[Labels, Slot] = {(cause,): Slot(1) for cause in MISSED}
    report = text.render(samples.profile(PLANS[0], samples.snapshot({"missed": everything})))
    assert all(units.words(cause) in report for cause in MISSED)
