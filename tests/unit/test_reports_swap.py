# SPDX-License-Identifier: GPL-2.0-only
"""What the report says of swap entries, of shared memory swapped in, and of what was read from swap."""

import json
import re
from dataclasses import replace

import pytest

from profiler.profile import Profile
from profiler.reports import html, text
from profiler.reports import json as reports_json
from profiler.slots import FAMILIES
from profiler.snapshot import Labels, Slot
from tests.unit import samples

DOUBT = "Not told apart: hwpoison or migration_read."


def in_doubt(**slots: dict[Labels, Slot]) -> Profile:
    kernel = replace(samples.by_fentry().kernel, pte_doubts=(DOUBT,))
    return samples.profile(samples.fentry_plan(), samples.snapshot(slots), kernel=kernel)


def words(report: str) -> str:
    return " ".join(report.split())


def test_each_kind_with_its_write_protection_and_its_end() -> None:
    report = text.render(samples.by_fentry())
    assert re.search(r"^  swap slot +no +minor +97 +4\.12us +<=2\.00us +<=20\.0us +20\.0us$", report, re.M)
    assert re.search(r"^  swap slot +yes +major +59 ", report, re.M)
    assert re.search(r"^  migration +no +retried +7 ", report, re.M)
    assert re.search(r"^  hwpoison +no +poisoned +1 ", report, re.M)
    assert re.search(r"^  marker uffd wp +yes +minor +23 ", report, re.M)


def test_the_chosen_entry_is_named_in_all_three() -> None:
    labels = ("uffd_wp_special", "no", "minor")
    run = in_doubt(swap_fault={labels: samples.slot("swap_fault", [100])})
    chosen = replace(run, kernel=replace(run.kernel, uffd_wp_entry="type1-offset0"))
    for render in (text.render, html.render):
        assert "type1-offset0" in render(chosen)
        assert "type1-offset0" not in render(run)
    assert json.loads(reports_json.render(chosen))["kernel"]["uffd_wp_entry"] == "type1-offset0"
    assert json.loads(reports_json.render(run))["kernel"]["uffd_wp_entry"] is None


def test_any_label_set_has_a_row_of_at_most_100_columns() -> None:
    slots: dict[Labels, Slot] = {
        labels: samples.slot("swap_fault", [100 + n])
        for n, labels in enumerate(FAMILIES["swap_fault"].labels())
    }
    report = text.render(in_doubt(swap_fault=slots))
    for kind, uffd_wp, result in slots:
        assert re.search(rf"^  {kind.replace('_', ' ')} +{uffd_wp} +{result} +1 ", report, re.M)
    assert max(map(len, report.splitlines())) <= text.WIDTH


def test_shared_memory_swapped_in_is_apart() -> None:
    report = text.render(samples.by_fentry())
    part = report[report.index("Shared memory swapped in") :]
    assert re.search(r"^  minor +5 ", part, re.M)
    assert re.search(r"^  major +31 ", part, re.M)


def test_pages_read_ahead_are_those_beyond_one_of_each_fault() -> None:
    report = text.render(samples.by_fentry())
    assert re.search(r"^  for +faults +pages +read ahead +mean +max$", report, re.M)
    assert re.search(r"^  a swap entry +270 +683 +413 +2\.53 +8$", report, re.M)
    assert re.search(r"^  shared memory +31 +224 +193 +7\.23 +8$", report, re.M)


def test_pages_counted_ahead_of_their_fault_are_not_less_than_none() -> None:
    report = text.render(in_doubt(swap_read={("shmem",): Slot(2, 1, 0, 1)}))
    assert re.search(r"^  shared memory +2 +1 +0 +0\.50 +1$", report, re.M)


@pytest.mark.parametrize("kind", ["special", "swap_slot"])
def test_kinds_in_doubt_are_named_where_there_is_a_kind(kind: str) -> None:
    one: dict[Labels, Slot] = {(kind, "no", "minor"): samples.slot("swap_fault", [700])}
    for render in (text.render, html.render):
        assert DOUBT in words(render(in_doubt(swap_fault=one)))
        assert "in doubt are counted as special" in words(render(in_doubt(swap_fault=one)))
        assert DOUBT not in words(render(in_doubt()))
        assert "in doubt" not in words(render(samples.by_fentry()))


def test_what_cannot_be_told_is_said_beside_what_can() -> None:
    shmem = samples.fentry_plan(frozenset({"shmem_swapin_folio", "shmem_swapin_page"}))
    report = words(text.render(replace(samples.by_fentry(), plan=shmem)))
    assert "Shared memory swapped in: not available: shmem_swapin_folio is not a symbol" in report
    assert "shared memory: not available: shmem_swapin_folio is not a symbol" in report
    nobody = samples.fentry_plan(frozenset({"shmem_swapin_folio", "shmem_swapin_page", "do_swap_page"}))
    report = words(text.render(replace(samples.by_fentry(), plan=nobody)))
    assert "Pages read from swap: not available: do_swap_page is not a symbol" in report
    reads = samples.fentry_plan(frozenset({"swap_read_folio", "swap_readpage"}))
    report = words(text.render(replace(samples.by_fentry(), plan=reads)))
    assert "'major': not available: swap_read_folio is not a symbol" in report


def test_each_is_drawn_where_there_is_something_to_draw() -> None:
    page = html.render(samples.by_fentry())
    kinds = [kind for kind, _, _ in samples.fentry_slots()["swap_fault"]]
    assert page.count('id="figure-swap_fault-') == 2 * len(set(kinds))
    assert page.count('id="figure-shmem_swapin-') == 2
    assert page.count('id="figure-swap_read-') == 2 * 2
    assert re.search(r"<title>[^<]*16\.0[^<]*: minor \d+, major \d+", page)
    empty = html.render(samples.profile(samples.fentry_plan(), samples.snapshot({})))
    assert "figure-swap" not in empty
    assert "figure-shmem" not in empty
