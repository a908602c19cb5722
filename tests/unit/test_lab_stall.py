# SPDX-License-Identifier: GPL-2.0-only
"""A grace period that is reported twice is a hang; anything else is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.lab.stall import Stalls

REPORTS = {
    "by another CPU": "rcu: \t(detected by {cpu}, t={t} jiffies, g={period}, q=12 ncpus=2)",
    "by another CPU, before 5.19": "rcu: \t(detected by {cpu}, t={t} jiffies, g={period}, q=12)",
    "by itself": "rcu: \t(t={t} jiffies g={period} q=7 ncpus=2)",
    "expedited": "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: "
    "{{ {cpu}-...D }} {t} jiffies s: {period} root: 0x1/.",
}


def line(report: str, period: int, t: int = 5252, cpu: int = 1) -> str:
    return REPORTS[report].format(cpu=cpu, t=t, period=period)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("before", ["", "[   61.318912] "])
def test_the_second_report_of_a_grace_period(report: str, before: str) -> None:
    stalls = Stalls()
    assert not stalls.hear(before + line(report, 1161))
    assert not stalls.hear(before + "rcu: rcu_preempt kthread starved for 5252 jiffies! g1161 f0x0 ->cpu=0")
    assert stalls.hear(before + line(report, 1161, t=21007, cpu=0) + "\r")


def test_whoever_reports_it() -> None:
    stalls = Stalls()
    assert not stalls.hear(line("by itself", -1199))
    assert stalls.hear(line("by another CPU", -1199))


def test_expedited_ones_are_numbered_by_themselves() -> None:
    stalls = Stalls()
    assert not stalls.hear(line("by itself", 13))
    assert not stalls.hear(line("expedited", 13))


@given(st.lists(st.tuples(st.sampled_from(list(REPORTS)), st.integers(0, 1 << 40)), unique_by=lambda r: r[1]))
def test_stalls_that_end_are_none(reports: list[tuple[str, int]]) -> None:
    stalls = Stalls()
    assert not any(stalls.hear(line(*report)) for report in reports)


@given(st.lists(st.text(st.characters(exclude_characters="=:"))))
def test_other_lines_are_none(lines: list[str]) -> None:
    stalls = Stalls()
    assert not any(stalls.hear(text) for text in lines * 2)
