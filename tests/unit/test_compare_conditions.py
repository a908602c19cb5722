# SPDX-License-Identifier: GPL-2.0-only
"""``--fail-if``: what is understood, and when it fails."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.comparison.conditions import Condition, judge, parse
from profiler.comparison.figures import FIGURES
from profiler.comparison.labelled import NAMES
from profiler.comparison.result import Comparison
from profiler.comparison.runs import Series
from profiler.errors import Exit, UserError
from profiler.slots import MODES
from tests.unit import compared
from tests.unit.compared import grid, mainline, reads, ungated

Figures = st.sampled_from([figure.name for figure in FIGURES])
Spaces = st.sampled_from(["", " ", "  "])
Numbers = st.decimals(0, 10**9, places=3, allow_nan=False).map(str)


@given(Figures, st.none() | st.sampled_from(MODES), st.sampled_from([">", ">=", "<", "<="]),
       st.sampled_from(["+", "-", ""]), Numbers, st.booleans(), Spaces)  # fmt: skip
def test_what_is_written_is_what_is_understood(
    figure: str, mode: str | None, op: str, sign: str, number: str, percent: bool, space: str
) -> None:
    unit = "%" if percent and sign else ""
    at = f"@{mode}" if mode else ""
    text = space.join(("", f"{figure}{at}", op, f"{sign}{number}{unit}", ""))
    measure = "percent" if unit else "change" if sign else "value"
    assert parse(text) == Condition(text, figure, mode, op, float(sign + number), measure)  # type: ignore[arg-type]


@given(st.text(max_size=40) | st.tuples(Figures, st.text(max_size=12)).map("".join))
def test_any_other_text_is_refused_with_a_sentence(text: str) -> None:
    try:
        parse(text)
    except UserError as error:
        assert error.code == Exit.USAGE
        assert str(error).endswith(".")
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faults>1", ("'faults'", *NAMES)),
        ("read_faults", ("FIGURE[@MODE]", "'read_faults_per_mib@minor>+10%'")),
        ("read_faults==1", ("is no condition",)),
        ("read_faults>10%", ("lacks a sign", "+10%")),
        ("read_faults>1e9", ("is no condition",)),
        ("read_faults@sideways>1", ("'sideways'", *MODES)),
        ("swap_faults@minor>1", ("labels",)),
        (
            "swap_faults@kind=nothing,uffd_wp=no,result=minor>1",
            ("kind= one of swap_slot", "uffd_wp= one of no, yes", "result= one of minor, major"),
        ),
        ("swap_faults@kind=swap_slot,uffd_wp=no>1", ("result=",)),
        ("swap_reads@by=nobody>1", ("by= one of swap_entry, shmem",)),
        ("read_faults@kind=swap_slot>1", ("has no labels",)),
    ],
)
def test_what_is_not_known_is_named_with_what_is(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    for word in words:
        assert word in str(caught.value)


def test_labels_may_come_in_any_order() -> None:
    one, other = (
        parse("swap_faults@uffd_wp=no,result=minor,kind=swap_slot>0"),
        parse("swap_faults@kind=swap_slot, uffd_wp=no, result=minor>0"),
    )
    assert one.which == other.which == (("kind", "swap_slot"), ("uffd_wp", "no"), ("result", "minor"))


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """From fault-around everywhere to none for WP and MINOR: 16 times the faults."""
    return compared.compared(tmp_path_factory.mktemp("c"), grid("a", ungated), grid("b", mainline))


def outcome(comparison: Comparison, text: str) -> str:
    return judge(comparison, parse(text)).outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read_faults_per_mib@minor>+1499%", "failed"),
        ("read_faults_per_mib@minor>=+1500%", "failed"),
        ("read_faults_per_mib@minor>+1500%", "passed"),
        ("read_faults_per_mib@none>+0%", "passed"),
        ("read_faults@minor>+3839", "failed"),
        ("read_faults@minor>+3840", "passed"),
        ("read_faults@minor>4095", "failed"),
        ("read_faults@minor>=4097", "passed"),
        ("read_faults>+0", "failed"),
        ("fault_around_runs@wp<-99%", "failed"),
        ("fault_around_runs@wp<1", "failed"),
        ("mapped_behind_monitor@minor>0", "passed"),
        ("mapped_behind_monitor@missing>0", "failed"),
        ("empty_runs@missing>=0", "failed"),
        ("empty_runs@missing>+10%", "passed"),
        ("skipped_share@wp>+10%", "failed"),
        ("ns_per_fault@minor<-50%", "failed"),
        ("ns_per_fault@minor>+5%", "passed"),
        ("ns_per_fault@none>+2%", "cannot tell"),
        ("ns_per_fault@none>+50%", "passed"),
        ("read_faults@missing+wp>0", "cannot tell"),
        ("swap_faults>+10%", "passed"),
        ("swap_faults@kind=swap_slot,uffd_wp=no,result=major>0", "cannot tell"),
    ],
)
def test_judged_by_the_whole_interval(gated: Comparison, text: str, expected: str) -> None:
    assert outcome(gated, text) == expected


def test_ten_percent_in_whole_numbers_is_not_more_than_ten_percent(tmp_path: Path) -> None:
    def faults(n: int) -> Series:
        return grid(str(n), lambda mode, random: reads(mode, n, (900,)), ("wp",), 2)

    comparison = compared.compared(tmp_path, faults(100), faults(110))
    assert outcome(comparison, "read_faults@wp>+10%") == "passed"
    assert outcome(comparison, "read_faults@wp>=+10%") == "failed"


@given(st.floats(-200, 2000), st.sampled_from([">", ">=", "<", "<="]))
def test_it_never_both_fails_and_passes(gated: Comparison, value: float, op: str) -> None:
    opposite = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}[op]
    one = outcome(gated, f"ns_per_fault@wp{op}{value:+.3f}%")
    other = outcome(gated, f"ns_per_fault@wp{opposite}{value:+.3f}%")
    assert {one, other} in ({"failed", "passed"}, {"cannot tell"})


def test_lost_events_leave_it_open(tmp_path: Path) -> None:
    after = compared.document(compared.merged(reads("wp", 4096, (900,)), compared.lost("return_lost")))
    comparison = compared.compared(tmp_path, compared.document(reads("wp", 256, (900,))), after)
    found = judge(comparison, parse("read_faults@wp>+10%"))
    assert found.outcome == "cannot tell"
    assert "events were lost" in found.why


def test_what_the_exact_test_does_not_show_fails_nothing(gated: Comparison) -> None:
    totals = tuple(
        replace(group, rows=tuple(replace(row, p_value=0.2) for row in group.rows)) for group in gated.totals
    )
    assert outcome(replace(gated, totals=totals), "ns_per_fault@minor<-50%") == "cannot tell"
