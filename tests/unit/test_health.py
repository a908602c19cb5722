# SPDX-License-Identifier: GPL-2.0-only
"""Hooks that die are noticed; hooks that have nothing to see are not called dead."""

import mmap
import resource
from pathlib import Path

from profiler.hooks.planner import Plan
from profiler.service.evidence import Evidence
from profiler.service.health import Canary, Health, Watch
from profiler.snapshot import Labels, Slot, Snapshot
from tests.unit import samples

CPUS = (0, 1)
FAULT, READ, RUN = ("user",), ("user", "none", "file", "ran"), ("none", "file")


def counted(faults: int, reads: int = 0, runs: int = 0) -> Snapshot:
    slots: dict[str, dict[Labels, Slot]] = {
        "page_fault": {FAULT: Slot(faults)},
        "read_fault": {READ: Slot(reads)},
        "fault_around_run": {RUN: Slot(runs)},
    }
    return samples.snapshot(slots)


def states(health: Health) -> dict[str, bool | None]:
    return {one.hook.name: one.alive for one in health.hooks}


def watch(plan: Plan) -> Watch:
    return Watch(plan, lambda: CPUS)


def test_what_grows_is_alive() -> None:
    found = watch(samples.tracepoint_plan()).check(counted(1, 1, 1))
    assert found.ready
    assert found.reason is None
    assert states(found) == {
        "process": None,
        "fault": True,
        "map_pages": True,
        "read_fault": True,
        "fault_around_entered": None,
        "pages_mapped": None,
        "huge_page_mapped": None,
        "userfault": None,
        "swap_entry": None,
        "shmem_swapin": None,
        "swap_read": None,
        "resolve": None,
    }


def test_a_hook_that_stops_has_died_and_may_come_back() -> None:
    watching = watch(samples.fentry_plan())
    assert watching.check(counted(1, 1, 1)).ready
    found = watching.check(counted(2, 1, 2))
    assert not found.ready
    assert found.reason
    assert "read_fault" in found.reason
    assert states(found)["read_fault"] is False
    assert states(found)["fault"] is True
    assert watching.check(counted(3, 2, 3)).ready


def test_no_fault_at_all_is_dead_from_the_start() -> None:
    assert "fault" in str(watch(samples.tracepoint_plan()).check(counted(0)).reason)


def test_a_kernel_that_never_faults_around_is_not_called_dead() -> None:
    watching = watch(samples.fentry_plan())
    for faults in range(1, 4):
        found = watching.check(counted(faults, faults, 0))
        assert found.ready
        assert states(found)["map_pages"] is None


def test_a_cpu_that_comes_online_later_is_not_covered_by_software_events() -> None:
    online = [0]
    watching = Watch(samples.tracepoint_plan(), lambda: tuple(online))
    assert watching.check(counted(1, 1, 1)).ready
    online.append(1)
    found = watching.check(counted(2, 2, 2))
    assert not found.ready
    assert "CPU 1 came online" in str(found.reason)
    by_function = Watch(samples.fentry_plan(), lambda: tuple(online))
    online.append(2)
    assert by_function.check(counted(1, 1, 1)).ready


def test_the_canary_faults_every_time(tmp_path: Path) -> None:
    file = tmp_path / "page"
    file.write_bytes(bytes(mmap.PAGESIZE))
    canary = Canary(file)
    canary.touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(101):
        canary.touch()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before >= 101
    canary.close()


def test_evidence_begins_anew_after_a_miss() -> None:
    evidence = Evidence()
    first = samples.snapshot({"missed": {("threads_full",): Slot(1)}, "page_fault": {FAULT: Slot(7)}})
    assert evidence.of(first).lost == 1
    evidence.renew(first)
    assert evidence.of(first).lost == 0
    later = samples.snapshot({"missed": {("threads_full",): Slot(1)}, "page_fault": {FAULT: Slot(10)}})
    assert evidence.of(later).total("page_fault").count == 3
    evidence.renew(later)
    assert evidence.of(later).total("page_fault").count == 3
