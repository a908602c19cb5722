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
            "shmem_swapin",
            "swap_read",
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
    for name in ("read_fault", "fault_around_run", "userfault", "userfault_wait", "swap_fault", "swap_read"):
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


def test_what_was_read_from_swap_is_told_only_of_the_hooks_that_are_there() -> None:
    shmem = {"shmem_swapin_folio", "shmem_swapin_page"}
    found = availability.unavailable(samples.fentry_plan(frozenset(shmem)))
    assert "shmem_swapin_folio is not a symbol" in found["shmem_swapin"]
    assert found["swap_read{by=shmem}"] == found["shmem_swapin"]
    assert "swap_read{by=swap_entry}" not in found
    assert "swap_read" not in found
    found = availability.unavailable(samples.fentry_plan(frozenset({"do_swap_page"})))
    assert found["swap_read{by=swap_entry}"] == found["swap_fault"]
    assert "swap_read{by=shmem}" not in found


def test_without_the_reads_a_major_swap_in_of_shared_memory_looks_like_a_minor_one() -> None:
    reads = frozenset({"swap_read_folio", "swap_readpage"})
    found = availability.unavailable(samples.fentry_plan(reads))
    assert found["shmem_swapin{result=major}"].endswith("; they are among the minor ones")
    assert "swap_fault{result=major}" not in found
    assert "shmem_swapin{result=major}" not in availability.unavailable(samples.fentry_plan())


@pytest.mark.parametrize("family", ["userfault", "fault_around_run"])
def test_limits_of_tracepoints_are_notes(family: str) -> None:
    assert "not seen by tracepoints" in availability.notes(samples.tracepoint_plan(), family)[0]
