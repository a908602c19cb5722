# SPDX-License-Identifier: GPL-2.0-only
from collections.abc import Callable

import pytest

from profiler.hooks.planner import BY_TRACEPOINTS, Plan
from profiler.reports import availability
from tests.unit import samples


def test_tracepoints() -> None:
    found = availability.unavailable(samples.tracepoint_plan())
    assert found.pop("resolve") == "not asked for: by tracepoints it costs every system call of the machine"
    assert found == dict.fromkeys(
        (
            "page_fault{origin=gup}",
            "read_fault{origin=gup}",
            "read_fault{fault_around=returned_early}",
            "read_fault{fault_around=not_entered}",
            "fault_around_run.sum",
            "fault_around_run.wait",
            "fault_around_run.max",
            "fault_around_run.buckets",
            "userfault{result=sigbus}",
            "userfault{result=nowait}",
            "swap_fault",
        ),
        BY_TRACEPOINTS,
    )


def test_fentry_with_every_symbol() -> None:
    found = availability.unavailable(samples.fentry_plan(frozenset()))
    assert list(found) == ["read_fault{fault_around=skipped}"]


def test_fentry_with_do_fault_around_inlined() -> None:
    found = availability.unavailable(samples.fentry_plan())
    assert set(found) == {"read_fault{fault_around=returned_early}", "read_fault{fault_around=not_entered}"}
    assert all("do_fault_around is not a symbol" in phrase for phrase in found.values())


def test_without_hooks_a_family_says_why() -> None:
    found = availability.unavailable(samples.bare_plan())
    for name in ("read_fault", "fault_around_run", "userfault", "userfault_wait", "swap_fault"):
        assert found[name] == "not available: nothing of it is a symbol here"
    assert "page_fault" not in found


def test_ioctls_by_tracepoints_are_available_once_asked_for() -> None:
    plan = samples.tracepoint_plan({"resolve": True})
    assert "resolve" not in availability.unavailable(plan)
    assert "whole system call" in availability.notes(plan, "resolve")[0]
    assert not availability.notes(samples.fentry_plan(), "resolve")


@pytest.mark.parametrize("plan", [samples.tracepoint_plan, samples.fentry_plan])
def test_ioctls_that_nobody_asked_for(plan: Callable[..., Plan]) -> None:
    assert availability.unavailable(plan(asked={"resolve": False}))["resolve"] == "not asked for"


def test_huge_pages_that_are_not_counted_are_a_note() -> None:
    plan = samples.fentry_plan(frozenset({"do_set_pmd"}))
    assert "do_set_pmd is not a symbol" in availability.notes(plan, "fault_around_run")[0]
    assert not availability.notes(samples.fentry_plan(), "fault_around_run")


@pytest.mark.parametrize("family", ["userfault", "fault_around_run"])
def test_limits_of_tracepoints_are_notes(family: str) -> None:
    assert "not seen by tracepoints" in availability.notes(samples.tracepoint_plan(), family)[0]
