# SPDX-License-Identifier: GPL-2.0-only
import re
from dataclasses import replace

import pytest

from profiler.profile import Command
from profiler.reports import text, units
from profiler.reports.table import Column, left
from tests.unit import samples


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0ns"),
        (0.4, "0ns"),
        (5, "5ns"),
        (999, "999ns"),
        (999.6, "1.00us"),
        (1000, "1.00us"),
        (1234, "1.23us"),
        (9_999, "10.0us"),
        (999_999, "1.00ms"),
        (31_415_926, "31.4ms"),
        (12_000_000_000, "12.0s"),
        (12_345_678_900_000, "12300s"),
    ],
)
def test_durations_have_three_significant_digits(ns: float, words: str) -> None:
    assert units.duration(ns) == words


@pytest.mark.parametrize(("ns", "words"), [(125, "<=125ns"), (1_024_000, "<=1.03ms"), (None, "-")])
def test_a_limit_is_never_rounded_down(ns: int | None, words: str) -> None:
    assert units.at_most(ns) == words


@pytest.mark.parametrize("name", samples.ALL)
def test_no_line_is_wider_than_100_columns(name: str) -> None:
    assert max(map(len, text.render(samples.ALL[name]()).splitlines())) <= text.WIDTH


def test_verdict_table_and_policy_are_what_is_read_first() -> None:
    report = text.render(samples.by_tracepoints())
    assert re.search(r"^  missing +ran +->map_pages called in 263 of 263 read faults$", report, re.M)
    assert re.search(r"^  wp +skipped +->map_pages called in none of 4099 read faults", report, re.M)
    assert "Policy: this kernel follows 'mainline' (over the modes missing, wp, minor)." in report
    assert "missing+wp" not in report
    assert "missing+wp" in text.render(samples.by_tracepoints(), all_modes=True)


def test_policies_that_agree_are_not_told_apart() -> None:
    profile = samples.by_tracepoints()
    slots = samples.tracepoint_slots()
    del slots["read_fault"]["user", "missing", "shmem", "ran"]
    report = text.render(replace(profile, total=samples.snapshot(slots)))
    assert "cannot tell which policy this kernel follows: 'seed' and 'mainline' agree" in report


def test_nothing_is_zero_that_tracepoints_cannot_tell() -> None:
    report = text.render(samples.by_tracepoints())
    assert "raised by the kernel itself (get_user_pages): not available by tracepoints" in report
    assert "'returned early' and 'not entered': not available by tracepoints" in report
    assert "pages mapped, runs that mapped nothing: not available by tracepoints" in report
    assert "'sigbus' and 'nowait': not available by tracepoints" in report
    assert "SWAP ENTRIES: not available by tracepoints" in report
    assert re.search(r"^  none +shmem +257$", report, re.M), "a run without its pages"
    header = next(line for line in report.splitlines() if "re-waits" in line)
    assert "sigbus" not in header
    assert "nowait" not in header


def test_a_function_that_is_inlined_is_named() -> None:
    report = text.render(samples.by_fentry())
    assert "not available: do_fault_around is not a symbol of this kernel" in report
    assert "not available by tracepoints" not in report


def test_events_that_were_missed_are_shown_per_cause_and_program() -> None:
    report = text.render(samples.with_misses())
    assert re.search(r"threads full .* 7$", report, re.M)
    assert re.search(r"recursion in kfunc__do_swap_page +hook swap_entry +3$", report, re.M)
    assert "recursion misses of kfunc__handle_userfault: not available" in report
    assert "cannot tell which policy" in report


def test_waiting_threads_are_listed_oldest_first() -> None:
    report = text.render(samples.by_fentry())
    assert re.search(r"4242/4243 +missing +anon +0x7f1234567000 +12\.0s", report)
    assert "3 threads in all, the oldest for 12.0s." in report


def test_a_command_line_cannot_talk_to_the_terminal() -> None:
    report = text.render(samples.with_misses())
    assert "\x1b" not in report
    assert "\\x1b[31m" in report
    assert report.encode()


def test_a_command_that_failed_is_reported() -> None:
    profile = replace(samples.by_fentry(), command=Command(("false",), 1))
    assert re.search(r"^command +exit code 1$", text.render(profile), re.M)


def test_interval_rows_stand_under_their_titles() -> None:
    profile = samples.by_fentry()
    since = profile.total.monotonic_ns - profile.total.duration_ns
    header = text.interval_header(profile.plan)
    row = text.render_interval(profile.intervals[0], profile.plan, since)
    assert len(header) == len(row)
    assert row.split()[0] == "1.00s"
    plan = samples.tracepoint_plan()
    assert "swap" not in text.interval_header(plan)
    assert len(text.interval_header(plan)) == len(text.render_interval(profile.intervals[0], plan, since))


def test_a_last_column_of_words_is_wrapped() -> None:
    lines = text.table((left("a"), left("b")), (("x", "word " * 40),))
    assert len(lines) > 2
    assert max(map(len, lines)) <= text.WIDTH
    assert text.table((left("a"), Column("n")), (("x", "1"), ("y", "23")))[1:] == ["  x   1", "  y  23"]
