# SPDX-License-Identifier: GPL-2.0-only
"""The ioctls that resolve userfaults: each is counted once, under what it was and how it ended."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.slots import RESOLVE_OPS, time_boundaries_ns
from profiler.snapshot import Snapshot
from profiler.workload.run import Options
from tests.kernel.emulated import run
from tests.modes import possible

RESOLVER = Path(__file__).with_name("resolver.py")
RESULTS = {"ok": "ok", "EAGAIN": "eagain", "EEXIST": "eexist"}
SLEEPERS = 61
LIMITS = time_boundaries_ns()
SLEPT = 22
"""They sleep for 0.3 s at the least: in this bucket or a higher one."""

Ioctls = Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def asked(way: WayName) -> Iterator[Session]:
    """As ``session``, with the ioctls counted by any way; the kernel keeps statistics of our programs."""
    request = Request({os.getpid(): FOLLOWED}, way, resolve=True, statistics=True)
    with Session(request) as session:
        assert session.plan.way("resolve") == way
        yield session
        assert session.snapshot().lost == 0


def _resolver(*arguments: str) -> Ioctls:
    done = subprocess.run(
        [sys.executable, RESOLVER, *arguments], capture_output=True, text=True, timeout=300, check=True
    )
    own: dict[str, dict[str, int]] = json.loads(done.stdout)
    return _by_result(own)


def _by_result(own: dict[str, dict[str, int]]) -> Ioctls:
    found: Ioctls = Counter()
    for op, counts in own.items():
        for name, count in counts.items():
            if op.lower() in RESOLVE_OPS:
                found[op.lower(), RESULTS.get(name, "error")] += count
    return +found


def _seen(snapshot: Snapshot) -> Ioctls:
    return Counter({(op, result): slot.count for (op, result), slot in snapshot.slots["resolve"].items()})


def test_every_ioctl_by_how_it_ended(asked: Session) -> None:
    """Four threads and 32-bit calls, beside ioctls that are none of ours."""
    before = asked.snapshot()
    own = _resolver("every")
    assert set(own) >= {(op, result) for op in ("copy", "zeropage") for result in RESULTS.values()}
    assert {("writeprotect", "eagain"), ("continue", "eexist"), ("wake", "error")} <= set(own)
    seen = asked.snapshot() - before
    assert _seen(seen) == own
    assert seen.total("missed").count == 0
    for slot in seen.slots["resolve"].values():
        assert 0 < slot.sum <= slot.count * slot.max
        assert sum(slot.buckets) == slot.count


WORKLOADS = [
    Options(backing="memfd", mode="minor", pages=509, threads=4, noise=2),
    Options(backing="anon", mode="missing", zeropage=True, pages=127),
    Options(backing="memfd", mode="wp", marker=True, access="write", pages=127),
    Options(backing="anon", mode="missing", wake_first=3, access="write", pages=61),
]


@pytest.mark.parametrize("options", possible(WORKLOADS), ids=lambda o: " ".join(o.argv()).replace("--", ""))
def test_ioctls_equal_the_workloads_own(asked: Session, options: Options) -> None:
    before = asked.snapshot()
    result = run(options)
    seen = asked.snapshot() - before
    own = _by_result(result.ioctls)
    assert own
    assert _seen(seen) == own
    # What is counted of the faults does not change by it.
    assert seen.total("userfault_begun").count == result.expected_userfaults.total


def test_ioctls_that_sleep(asked: Session) -> None:
    """More at once than a return probe has instances: what it loses is counted as missed, nothing else is."""
    before = asked.snapshot()
    own = _resolver("asleep", str(SLEEPERS))
    seen = asked.snapshot() - before
    lost = seen.total("missed", cause="ioctl_return_lost").count
    copies = seen.total("resolve", op="copy", result="ok")
    assert own["copy", "ok"] == 2 * SLEEPERS
    assert copies.count + lost == 2 * SLEEPERS
    # While all instances sleep, the return of a quick one is lost as well.
    slept = sum(copies.buckets[SLEPT:])
    assert SLEEPERS - lost <= slept <= SLEEPERS
    assert copies.sum >= slept * LIMITS[SLEPT - 1]
    assert (0 < lost < 2 * SLEEPERS) if asked.plan.way("resolve") == "kprobe" else lost == 0
    assert _seen(seen)["wake", "error"] == own["wake", "error"]


def test_run_statistics_of_our_programs(asked: Session) -> None:
    asked.snapshot()
    before = asked.program_runs()
    assert before is not None
    assert set(before) == {a.program for hook in asked.plan.hooks for a in hook.attachments} | {
        "raw_sched_process_fork"
    }
    run(Options(backing="memfd", mode="minor", pages=509))
    assert asked.program_runs() == before, "as of the last snapshot"
    asked.snapshot()
    after = asked.program_runs()
    assert after is not None
    more = {name: after[name][0] - before[name][0] for name in after}
    assert more["raw_page_fault_user"] >= 509
    ends = {"fentry": "kretfunc__userfaultfd_ioctl", "kprobe": "return_userfaultfd_ioctl"}
    assert more[ends.get(asked.plan.way("resolve"), "raw_sys_exit")] >= 509
    for name, (runs, ns) in after.items():
        assert runs >= before[name][0]
        # A reading of the clock takes some, and none of the programs a millisecond; of a few runs one may
        # have been interrupted by whatever else the machine does.
        assert ns > 0 if runs else ns == 0
        assert runs < 100 or ns < runs * 1_000_000
