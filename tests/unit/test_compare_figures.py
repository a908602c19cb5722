# SPDX-License-Identifier: GPL-2.0-only
"""Each figure by hand, and what the samples are said to show."""

from dataclasses import replace
from pathlib import Path

import pytest

from profiler.comparison.figures import FIGURES
from profiler.comparison.labelled import LABELLED
from profiler.comparison.loading import cell
from profiler.comparison.naming import names
from profiler.comparison.runs import Series
from profiler.slots import FAMILIES
from tests.unit import compared, samples
from tests.unit.compared import grid, group, mainline, merged, reads, row, ungated

READS = ("user", "wp", "shmem", "ran")


def one(mode: str = "wp") -> compared.Slots:
    """100 faults ran fault-around, 12 and 7 did not, of GUP 3 did; 20 runs mapped nothing."""
    return {
        "read_fault": {
            ("user", mode, "shmem", "ran"): samples.slot("read_fault", [1_000] * 100),
            ("user", mode, "file", "not_entered"): samples.slot("read_fault", [2_000] * 12),
            ("kernel", mode, "shmem", "returned_early"): samples.slot("read_fault", [3_000] * 7, wait=999),
            ("gup", mode, "shmem", "ran"): samples.slot("read_fault", [50_000] * 3),
        },
        "fault_around_run": {
            (mode, "shmem"): samples.slot("fault_around_run", [16] * 80 + [0] * 20),
            (mode, "file"): samples.slot("fault_around_run", [8] * 3),
        },
        "userfault_begun": {(mode, "shmem"): samples.slot("userfault_begun", [0] * 5)},
    }


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("read_faults", 107),
        ("read_faults_per_mib", 107 / (512 / 256)),
        ("fault_around_runs", 100),
        ("pages_mapped", 1280),
        ("empty_runs", 20),
        ("ran_share", 100 / 107),
        ("skipped_share", 7 / 107),
        ("ns_per_fault", 121_000 / 107),
        ("ns_per_page", 121_000 / 512),
        ("read_path_ns", 121_000),
        ("wait_ns", 999),
        ("userfaults_begun", 5),
        ("mapped_behind_monitor", 1280),
        ("unwatched_ns", 77_000),
        ("gup_read_faults", 3),
        ("ns_per_gup_fault", 50_000),
    ],
)
def test_figures_of_a_workload_are_those_of_its_memory(tmp_path: Path, figure: str, value: float) -> None:
    run = compared.run(compared.workload("wp"), one(), pages=512, unwatched_ns=77_000)
    series = Series("x", "hardware", 65536, (run,))
    comparison = compared.compared(tmp_path, series, series)
    for rows in (comparison.cells[0], group(comparison, "wp"), group(comparison, None)):
        assert row(rows, figure).before == pytest.approx(value)
    assert {r.figure.name for r in comparison.cells[0].rows} == {f.name for f in FIGURES}


def test_what_was_not_measured_without_probes_is_no_row_or_says_so(tmp_path: Path) -> None:
    def series(unwatched: int | None) -> Series:
        slots = merged(one(), compared.lost("return_lost"))
        return Series(
            "x", "hardware", None, (compared.run(compared.workload("wp"), slots, unwatched_ns=unwatched),)
        )

    found = compared.compared(tmp_path, series(None), series(None))
    assert "unwatched_ns" not in {r.figure.name for g in found.groups for r in g.rows}
    only = row(compared.compared(tmp_path, series(None), series(5)).cells[0], "unwatched_ns")
    assert (only.before, only.after, only.why_not) == (None, None, "before: not measured")
    both = row(compared.compared(tmp_path, series(4), series(5)).cells[0], "unwatched_ns")
    assert (both.before, both.after) == (4, 5)
    assert both.why_not == "of one run its spread is not known"


def test_of_a_profile_pages_are_those_that_the_read_path_mapped(tmp_path: Path) -> None:
    document = compared.document(one())
    comparison = compared.compared(tmp_path, document, document)
    pages = 1304 + 12 + 7
    assert row(group(comparison, "wp"), "read_faults_per_mib").before == pytest.approx(119 * 256 / pages)
    assert row(group(comparison, "wp"), "ns_per_page").before == pytest.approx(145_000 / pages)
    assert any("of what the read path mapped" in note for note in comparison.notes)


def test_without_a_command_counts_are_per_second(tmp_path: Path) -> None:
    short = compared.document(reads("none", 100, (500,)), command=None, duration_ns=5 * samples.SECOND)
    long = compared.document(reads("none", 200, (500,)), command=None, duration_ns=10 * samples.SECOND)
    found = row(group(compared.compared(tmp_path, short, long), "none"), "read_faults")
    assert (found.before, found.after) == (20, 20)
    assert found.shown == "none shown"


def test_what_is_mapped_in_unregistered_memory_is_behind_no_monitor(tmp_path: Path) -> None:
    document = compared.document(merged(reads("none", 50, (500,)), reads("missing", 0, (500,), ran=False)))
    document["families"]["fault_around_run"].append(
        compared.document(reads("missing", 9, (500,)))["families"]["fault_around_run"][0]
    )
    comparison = compared.compared(tmp_path, document, document)
    assert row(group(comparison, None), "mapped_behind_monitor").before == 9 * 16
    assert "mapped_behind_monitor" not in {r.figure.name for r in group(comparison, "none").rows}


def test_a_difference_of_exact_counts_is_a_point(tmp_path: Path) -> None:
    comparison = compared.compared(
        tmp_path, grid("a", ungated, repetitions=2), grid("b", mainline, repetitions=2)
    )
    found = row(group(comparison, "minor"), "read_faults")
    assert found.method == "exact"
    assert found.difference is not None
    assert found.ratio is not None
    assert (found.difference.estimate, found.difference.limits) == (3840, (3840, 3840))
    assert found.ratio.limits == (16, 16)
    assert found.shown == "more"
    assert row(group(comparison, "none"), "read_faults").shown == "none shown"


def test_a_few_runs_give_no_interval_of_what_varies(tmp_path: Path) -> None:
    comparison = compared.compared(
        tmp_path, grid("a", ungated, repetitions=5), grid("b", mainline, repetitions=5)
    )
    found = row(group(comparison, "minor"), "ns_per_fault")
    assert found.shown == "unknown"
    assert found.difference is not None
    assert found.difference.limits is None
    assert found.why_not == "an interval takes 6 runs of each workload on each side"


@pytest.mark.parametrize(("first_block", "method"), [(0, "paired bootstrap"), (100, "bootstrap")])
def test_runs_are_paired_where_both_sides_have_the_same_blocks(
    tmp_path: Path, first_block: int, method: str
) -> None:
    after = grid("b", mainline, first_block=first_block)
    comparison = compared.compared(tmp_path, grid("a", ungated), after)
    for rows in (group(comparison, None), group(comparison, "wp"), comparison.cells[0]):
        assert row(rows, "ns_per_fault").method == method
    found = row(comparison.cells[2], "ns_per_fault")
    assert found.shown == "less"
    assert found.p_value == pytest.approx(2 / 2**8 if first_block == 0 else 2 / 12870, rel=1e-6) or (
        found.p_value is None
    )


def test_runs_of_the_same_kernel_show_no_difference(tmp_path: Path) -> None:
    comparison = compared.compared(tmp_path, grid("a", ungated, seed=1), grid("a", ungated, seed=2))
    times = [r for g in comparison.cells for r in g.rows if r.figure.name == "ns_per_fault"]
    assert [r.shown for r in times].count("none shown") >= 3
    assert all(r.difference and r.difference.limits for r in times)


def test_a_total_adds_the_counts_of_the_workloads_and_divides_once(tmp_path: Path) -> None:
    comparison = compared.compared(tmp_path, grid("a", ungated), grid("b", mainline))
    total = group(comparison, None)
    assert (row(total, "read_faults").before, row(total, "read_faults").after) == (1024, 8704)
    assert row(total, "read_faults_per_mib").after == pytest.approx(8704 / 64)
    cells = [row(g, "read_path_ns").after or 0 for g in comparison.cells]
    assert row(total, "read_path_ns").after == pytest.approx(sum(cells))
    found = row(total, "read_path_ns")
    assert found.difference is not None
    assert found.difference.limits is not None
    assert found.difference.limits[0] <= found.difference.estimate <= found.difference.limits[1]
    assert abs(found.difference.estimate) < 20e6


def test_modes_that_a_workload_was_not_made_for_are_apart(tmp_path: Path) -> None:
    slots = merged(reads("wp", 30, (900,)), reads("none", 4, (700,)))
    series = Series("x", "hardware", None, (compared.run(compared.workload("wp"), slots),))
    comparison = compared.compared(tmp_path, series, series)
    own, other = comparison.cells
    assert (own.mode, own.own, other.mode, other.own) == ("wp", True, "none", False)
    assert row(group(comparison, None), "read_faults").before == 30
    assert row(other, "read_faults").before == 4
    assert "read_faults_per_mib" not in {r.figure.name for r in other.rows}


def test_lost_events_leave_figures_without_a_judgement(tmp_path: Path) -> None:
    document = compared.document(merged(reads("wp", 300, (900,)), compared.lost("threads_full", 7)))
    comparison = compared.compared(tmp_path, compared.document(reads("wp", 30, (900,))), document)
    found = row(group(comparison, "wp"), "read_faults")
    assert (found.before, found.after) == (30, 300)
    assert found.shown == "unknown"
    assert found.why_not == "events were lost: 0 before, 7 after"
    assert comparison.notes[0].startswith("Events were lost: 0 before, 7 after.")


def test_lost_ioctls_touch_no_figure_of_a_fault(tmp_path: Path) -> None:
    ioctls: compared.Slots = {"resolve": {("copy", "ok"): samples.slot("resolve", [900] * 50)}}
    slots = merged(reads("wp", 300, (900,)), compared.lost("ioctl_return_lost"), ioctls)
    document = compared.document(slots)
    comparison = compared.compared(tmp_path, document, document)
    assert row(group(comparison, "wp"), "read_faults").shown == "none shown"
    assert row(comparison, "resolve_ioctls").why_not == "events were lost: 1 before, 1 after"


def test_lost_swap_ins_touch_no_figure_but_theirs(tmp_path: Path) -> None:
    swapped: compared.Slots = {
        "swap_fault": {("swap_slot", "no", "major"): samples.slot("swap_fault", [900] * 50)}
    }
    slots = merged(reads("wp", 300, (900,)), compared.lost("swap_return_lost"), swapped)
    document = compared.document(slots)
    comparison = compared.compared(tmp_path, document, document)
    assert row(group(comparison, "wp"), "read_faults").shown == "none shown"
    groups = (*comparison.totals, *comparison.cells, *comparison.families)
    rows = [found for one in groups for found in one.rows]
    lost = [found for found in rows if found.why_not and "events were lost" in found.why_not]
    assert lost
    assert {found.figure.family for found in lost} <= {"swap_fault", "shmem_swapin"}


def test_what_one_side_cannot_tell_is_missing_with_its_phrase(tmp_path: Path) -> None:
    before = compared.document(reads("wp", 30, (900,)), samples.fentry_plan(frozenset({"set_pte_range", "do_set_pte", "alloc_set_pte"})))  # noqa: E501  # fmt: skip
    comparison = compared.compared(tmp_path, before, compared.document(reads("wp", 30, (900,))))
    found = row(group(comparison, "wp"), "pages_mapped")
    assert found.before is found.after is None
    assert found.why_not is not None
    assert found.why_not.startswith("before: not available")
    assert row(group(comparison, "wp"), "fault_around_runs").before == 30
    assert any(note.startswith("The hook pages_mapped is absent before") for note in comparison.notes)


@pytest.mark.parametrize("family", LABELLED)
def test_every_label_set_of_a_family_is_a_row(tmp_path: Path, family: str) -> None:
    labels = list(FAMILIES[family].labels())
    slots = {family: {values: samples.slot(family, [700] * (n % 5 + 1)) for n, values in enumerate(labels)}}
    document = compared.document(slots)
    found = next(g for g in compared.compared(tmp_path, document, document).families if g.family == family)
    counts = [r for r in found.rows if r.figure.unit == "events"]
    assert counts[0].labels == {}
    assert counts[0].before == sum(slot.count for slot in slots[family].values())
    assert [tuple(r.labels.values()) for r in counts[1:]] == labels
    assert [r.before for r in counts[1:]] == [slot.count for slot in slots[family].values()]
    assert {axis for r in counts[1:] for axis in r.labels} == {axis for axis, _ in FAMILIES[family].axes}
    sizes = [r for r in found.rows if r.figure.unit == ("pages" if FAMILIES[family].pages else "time")]
    assert all(r.before == 700 for r in sizes)
    assert bool(sizes) == (family != "userfault_begun")


def test_a_label_that_one_side_cannot_tell_is_missing_there_and_not_0(tmp_path: Path) -> None:
    read: compared.Slots = {"swap_read": {("shmem",): samples.slot("swap_read", [8] * 40)}}
    plan = samples.fentry_plan(frozenset({"shmem_swapin_folio", "shmem_swapin_page"}))
    comparison = compared.compared(tmp_path, compared.document({}, plan), compared.document(read))
    for figure in ("swap_reads", "pages_per_swap_read"):
        found = next(
            r
            for g in comparison.families
            for r in g.rows
            if r.figure.name == figure and r.labels == {"by": "shmem"}
        )
        assert (found.before, found.shown) == (None, "unknown")
        assert found.why_not is not None
        assert found.why_not.startswith("before: not available: shmem_swapin_folio is not a symbol")


def test_runs_of_a_block_are_one_pair(tmp_path: Path) -> None:
    def series(label: str) -> Series:
        options = compared.workload("wp")
        runs = [compared.run(options, reads("wp", 99, (900 + 7 * n,)), n, n // 2) for n in range(12)]
        return Series(label, "hardware", None, tuple(runs))

    found = row(compared.compared(tmp_path, series("a"), series("b")).cells[0], "read_path_ns")
    assert found.method == "paired bootstrap"
    assert found.units == (6, 6)
    assert found.before == pytest.approx(99 * (900 + 7 * 5.5))
    assert found.difference is not None
    assert found.difference.limits == (0, 0)


def test_of_one_run_nothing_may_have_been_something(tmp_path: Path) -> None:
    before, after = (compared.document(reads("wp", 256, (900,), ran=ran)) for ran in (True, False))
    rows = group(compared.compared(tmp_path, before, after), "wp")
    found = row(rows, "mapped_behind_monitor")
    assert (found.before, found.after, found.shown) == (4096, 0, "less")
    assert found.after_limits is not None
    assert found.after_limits[0] == 0
    assert 50 < found.after_limits[1] < 70
    assert row(rows, "gup_read_faults").shown == "none shown"
    assert row(rows, "gup_read_faults").after_limits == pytest.approx((0, 3.67), abs=0.01)


def test_of_one_run_nothing_against_something_has_a_bounded_interval(tmp_path: Path) -> None:
    before = compared.document(reads("wp", 4096, (900,), ran=False))
    after = compared.document(reads("wp", 256, (3_000,)))
    found = row(group(compared.compared(tmp_path, before, after), "wp"), "mapped_behind_monitor")
    assert (found.before, found.after, found.shown) == (0, 4096, "more")
    assert found.difference is not None
    assert found.difference.limits is not None
    assert 3_000 < found.difference.limits[0] < 4096 < found.difference.limits[1] < 5_000


def test_an_exact_test_that_disagrees_takes_the_difference_back(tmp_path: Path) -> None:
    found = row(
        group(compared.compared(tmp_path, grid("a", ungated), grid("b", mainline)), "wp"), "ns_per_fault"
    )
    assert found.shown == "less"
    assert replace(found, p_value=0.06).shown == "none shown"


def test_a_handful_of_events_gives_no_interval_of_their_mean(tmp_path: Path) -> None:
    few, more = (compared.document(reads("wp", n, (900, 1_300), ran=False)) for n in (6, 60))
    found = row(group(compared.compared(tmp_path, few, few), "wp"), "ns_per_fault")
    assert found.shown == "unknown"
    assert found.why_not == "too few events for an interval"
    assert row(group(compared.compared(tmp_path, more, more), "wp"), "ns_per_fault").shown == "none shown"


def test_workloads_are_called_by_what_differs() -> None:
    cells = [
        cell(compared.workload("wp", cache=c, seed=s)) for c, s in (("full", 1), ("half", 1), ("full", None))
    ]
    assert list(names(cells).values()) == [
        "mode wp, backing memfd, cache full, seed 1",
        "mode wp, backing memfd, cache half, seed 1",
        "mode wp, backing memfd, cache full, seed none given",
    ]
    assert list(names(cells[:1]).values()) == ["mode wp, backing memfd"]
    assert len(set(names([*cells, cell(compared.workload("wp", cache="full"))]).values())) == 4
