# SPDX-License-Identifier: GPL-2.0-only
"""Counts equal the workload's own, fault for fault, on every way that this kernel has."""

import os
import resource
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.hooks.catalogue import WayName
from profiler.hooks.planner import Plan
from profiler.hooks.session import Session
from profiler.slots import RESOLVE_OPS
from profiler.snapshot import Snapshot
from profiler.workload.result import Result
from profiler.workload.run import Backing, Cache, Options, gated
from tests.kernel.emulated import run
from tests.kernel.observer import calls_of
from tests.modes import SUPPORTED, possible
from tests.policy import HOW, skips

P = 509
SMALL = 61
MANY = 2003
FEWER = "UFFD_FEWER_CASES" in os.environ

_MODES_BY_CACHE: list[tuple[Backing, str, Cache]] = [
    *(("memfd", mode, "full") for mode in ("none", "missing", "wp", "minor", "missing+wp+minor")),
    ("memfd", "missing", "half"),
    ("memfd", "missing", "empty"),
    ("memfd-private", "wp", "full"),
    ("tmpfs", "none", "full"),
    ("tmpfs", "minor", "full"),
]
_MORE_MODES_BY_CACHE: list[tuple[Backing, str, Cache]] = [
    *(("memfd", mode, "full") for mode in ("missing+wp", "missing+minor", "wp+minor")),
    *(("memfd", mode, "half") for mode in ("none", "wp", "minor", "missing+minor")),
    *(("memfd", mode, "empty") for mode in ("none", "wp", "missing+wp+minor")),
    *(("memfd-private", mode, "full") for mode in ("none", "missing", "minor")),
    *(("tmpfs", mode, "full") for mode in ("missing", "wp")),
]

CASES = [
    # Each mode and backing; a prime number of pages.
    *(Options(backing=backing, mode=mode, cache=cache, pages=P) for backing, mode, cache in _MODES_BY_CACHE),
    # Four threads at once, beside a process that takes unrelated faults all the time.
    Options(backing="memfd", mode="missing", pages=P, threads=4, noise=2),
    Options(backing="anon", mode="missing", access="write", pages=P, threads=4, noise=2),
    # A protected page that is gone: the pte marker's fault, then the WP fault.
    Options(backing="memfd", mode="wp", marker=True, pages=P),
    Options(backing="anon", mode="wp", populate=True, marker=True, access="write", pages=P),
    # A wake without a fill: handle_userfault is entered again for the same fault.
    Options(backing="anon", mode="missing", wake_first=3, access="write", pages=SMALL),
    # A signal during the wait: the fault is given up, and raised again.
    Options(backing="memfd", mode="minor", signal=31, pages=127),
    # Several threads on one page: one message, as many faults.
    Options(backing="memfd", mode="minor", same_page=True, threads=4, pages=SMALL),
    # More sleepers than a return probe has instances.
    Options(backing="anon", mode="missing", threads=32, gather=True, pages=499),
    Options(backing="memfd", mode="minor", threads=32, unregister_while_waiting=True, pages=499),
    # The child of a fork is not registered.
    Options(backing="memfd", mode="wp", fork=True, pages=SMALL),
    # The kernel itself touches.
    Options(backing="memfd", mode="missing", cache="empty", kernel_access=True, pages=SMALL),
]
"""One of each idea."""

MORE_CASES = [
    *(
        Options(backing=backing, mode=mode, cache=cache, pages=P)
        for backing, mode, cache in _MORE_MODES_BY_CACHE
    ),
    Options(backing="memfd", mode="none", pages=P, threads=4, noise=2),
    Options(backing="memfd-private", mode="wp", pages=P, threads=4, noise=2),
    Options(backing="tmpfs", mode="missing+wp+minor", pages=P, threads=4, noise=2),
    Options(backing="memfd", mode="wp", marker=True, access="write", pages=P),
    Options(backing="anon", mode="missing", pages=P),
    Options(backing="memfd", mode="minor", wake_first=2, pages=SMALL),
    Options(backing="memfd", mode="missing", cache="empty", threads=32, close_while_waiting=True, pages=499),
    Options(backing="memfd", mode="missing", fork=True, pages=SMALL),
    Options(backing="memfd", mode="wp", kernel_access=True, pages=SMALL),
    Options(backing="memfd", mode="none", kernel_access=True, pages=P),
]
"""Of the same ideas; left out with ``UFFD_FEWER_CASES``, where many kernels are emulated in turn."""


def _id(options: Options) -> str:
    return " ".join(options.argv()).replace("--", "")


def _measure(session: Session, options: Options) -> tuple[Result, Snapshot]:
    before = session.snapshot()
    result = run(options)
    assert result.agrees
    return result, session.snapshot() - before


def _in_vain(options: Options) -> bool:
    """Whether threads may enter handle_userfault() for a page that has been mapped meanwhile.

    Where a kernel faults around in MINOR regions, of threads that race for a page one maps it; one that is in
    its fault already finds the page in the cache, and asks (mm/shmem.c). None waits, nobody gets a message.
    """
    return "minor" in options.mode and not skips(options.mode) and options.threads > 1


def _measure_userfaults(session: Session, options: Options) -> tuple[Result, Snapshot, int]:
    """And how often a userfault was raised in vain, which the workload cannot know."""
    if not _in_vain(options):
        return *_measure(session, options), 0
    with calls_of("handle_userfault") as calls:
        before = calls()
        result, seen = _measure(session, options)
        return result, seen, calls() - before


def _own_userfaults(result: Result) -> Counter[str]:
    own = result.expected_userfaults
    return +Counter({"missing": own.missing, "wp": own.wp, "minor": own.minor})


def _begun(seen: Snapshot) -> Counter[str]:
    return +Counter({r: seen.total("userfault_begun", reason=r).count for r in ("missing", "wp", "minor")})


def _backing(options: Options) -> str:
    return options.backing if options.backing in ("anon", "hugetlb") else "shmem"


@dataclass(frozen=True)
class Seen:
    """What the probes must have seen, given what the workload says of itself."""

    options: Options
    result: Result
    snapshot: Snapshot
    plan: Plan
    in_vain: int

    def check_userfaults(self) -> None:
        own = _own_userfaults(self.result)
        if self.in_vain:
            assert own == Counter()
            assert self.result.messages.total == 0
            # By tracepoints it takes a wait to see one.
            own["minor"] = 0 if self.plan.way("userfault") == "tracepoint" else self.in_vain
        assert _begun(self.snapshot) == +own
        waits = self.snapshot.total("userfault_wait").count
        total = own.total()
        if not self.result.options["same_page"]:
            assert waits == total + self.result.rewaits + self.result.signals
        resolved = self.snapshot.total("userfault", result="resolved").count
        interrupted = self.snapshot.total("userfault", result="interrupted").count
        assert resolved + interrupted == total
        # A page may be filled between the signal and the thread's return to it, and then faults no more.
        assert interrupted <= self.result.signals
        assert self.snapshot.waiting_now == 0
        assert self.snapshot.waiting == ()
        by_backing = self.snapshot.total("userfault_begun", backing=_backing(self.options)).count
        assert by_backing == total

    def check_ioctls(self) -> None:
        """Those of the workload's handlers; by tracepoint they are not asked for here."""
        if self.plan.way("resolve") == "none":
            assert self.snapshot.total("resolve").count == 0
            return
        own = {op.lower(): sum(ends.values()) for op, ends in self.result.ioctls.items()}
        for op in RESOLVE_OPS:
            ended = self.result.ioctls.get(op.upper(), {})
            assert self.snapshot.total("resolve", op=op).count == own.get(op, 0)
            assert self.snapshot.total("resolve", op=op, result="ok").count == ended.get("ok", 0)

    def check_read_faults(self) -> None:
        if self.options.access == "write" or self.options.backing in ("anon", "hugetlb"):
            assert self.snapshot.total("read_fault", backing="shmem").count == 0
            return
        if self.plan.way("read_fault") == "none":
            assert self.snapshot.total("read_fault").count == 0
            return
        mode = "none" if self.options.fork else self.options.mode
        if self.options.unregister_while_waiting or self.options.close_while_waiting:
            self.check_read_faults_of_a_region_that_changed()
            return
        origin = "kernel" if self.options.kernel_access else "user"
        faults = {"backing": "shmem", "origin": origin, "uffd_mode": mode}
        own = self.own_read_faults()
        assert self.snapshot.total("read_fault", **faults).count == own
        assert self.snapshot.total("read_fault", backing="shmem").count == own
        ran = self.snapshot.total("read_fault", fault_around="ran", **faults).count
        if skips(mode):
            assert ran == 0
            if self.plan.way("fault_around_entered") != "none":
                assert self.snapshot.total("read_fault", fault_around=HOW, **faults).count == own
        elif self.options.cache in (None, "full"):
            assert ran == own

    def own_read_faults(self) -> int:
        if self.result.expected_exact:
            return self.result.expected_faults
        if _in_vain(self.options):
            # One for each window; who raced for it and asked in vain went the same way. Who came even later
            # found the page mapped at once: a fault, but none of the read path.
            return self.result.expected_faults_min + self.in_vain
        # Of threads that race for a page the oracle knows the bounds, and rusage how many came too late.
        return self.result.faults

    def check_read_faults_of_a_region_that_changed(self) -> None:
        """Those that waited belong to the mode they began in; the others began after it was gone."""
        waited = self.snapshot.total("read_fault", uffd_mode=self.options.mode, backing="shmem")
        assert waited.count == self.result.expected_userfaults.total
        assert self.snapshot.total("read_fault", backing="shmem").count == self.result.expected_faults
        ran = self.snapshot.total(
            "read_fault", uffd_mode=self.options.mode, backing="shmem", fault_around="ran"
        )
        if skips(self.options.mode):
            assert ran.count == 0

    def check_pages(self) -> None:
        if self.plan.way("pages_mapped") == "none" or self.options.access == "write":
            return
        if self.options.unregister_while_waiting or self.options.close_while_waiting:
            return
        mapped = self.snapshot.total("fault_around_run", backing="shmem").sum
        if self.options.fork or self.options.backing == "anon":
            return
        if skips(self.options.mode):
            assert mapped == 0
        elif self.options.marker:
            assert mapped == 0  # fault-around leaves pte markers alone
        elif self.options.mode == "none" or self.options.cache in (None, "full"):
            # Every page of a full cache, and nothing else: UFFDIO_COPY and finish_fault() do not count.
            assert mapped == self.result.cached_before


@pytest.mark.parametrize("options", possible([*CASES, *([] if FEWER else MORE_CASES)]), ids=_id)
def test_counts_equal_the_workloads_own(session: Session, options: Options) -> None:
    result, snapshot, in_vain = _measure_userfaults(session, options)
    seen = Seen(options, result, snapshot, session.plan, in_vain)
    seen.check_userfaults()
    seen.check_ioctls()
    seen.check_read_faults()
    seen.check_pages()


@pytest.mark.parametrize("threads", [1, 4])
def test_refused_userfaults_are_sigbus(session: Session, threads: int) -> None:
    options = Options(
        backing="memfd", mode="missing", cache="empty", sigbus=True, threads=threads, pages=SMALL
    )
    result, seen = _measure(session, options)
    assert result.sigbus == SMALL
    if session.plan.way("userfault") == "tracepoint":
        return
    assert seen.total("userfault", reason="missing", result="sigbus").count == SMALL
    assert seen.total("userfault").count == SMALL
    # Failed faults are not read faults that completed; that fault-around ran ahead of them is seen.
    assert seen.total("read_fault", backing="shmem").count == 0
    if session.plan.way("map_pages") != "none":
        empty = seen.total("fault_around_run", uffd_mode="missing", backing="shmem").buckets[0]
        assert empty == (0 if skips("missing") else SMALL)


@pytest.mark.parametrize("mode", [m for m in ("none", "missing", "wp") if m == "none" or m in SUPPORTED])
def test_faults_of_the_kernel_itself_are_apart(session: Session, mode: str) -> None:
    cache: Cache = "empty" if mode == "missing" else "full"
    result, seen = _measure(
        session, Options(backing="memfd", mode=mode, cache=cache, gup="auto", pages=SMALL)
    )
    assert seen.total("read_fault", backing="shmem", origin=("user", "kernel")).count == 0
    if session.plan.way("fault") == "tracepoint":
        return
    found = seen.total("read_fault", backing="shmem", origin="gup", uffd_mode=mode).count
    if mode == "missing":
        assert found == SMALL
        assert seen.total("userfault_begun", reason="missing").count == SMALL
    else:
        assert found == result.fault_windows


def test_every_completed_fault_once(session: Session) -> None:
    """Against the kernel's own account of the process (ru_minflt + ru_majflt)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, seen = _measure(session, Options(backing="anon", mode="missing", access="write", pages=MANY))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    kernels_own = after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt
    exceptions = seen.total("page_fault", origin=("user", "kernel")).count
    gup = seen.total("page_fault", origin="gup").count
    assert exceptions > MANY
    # GUP faults are accounted to whoever raised them too, when they complete: by tracepoint they are unseen.
    assert 0 <= kernels_own - exceptions - gup <= (12 if session.plan.way("fault") == "tracepoint" else 0)


def test_cold_page_cache_is_one_fault(session: Session, disk: Path) -> None:
    """The first pass finds nothing, starts the I/O and retries: ->map_pages is called again."""
    cold = disk / "cold"
    cold.write_bytes(bytes(4096 * P))
    os.sync()
    with gated(Options(cold_file=cold, pages=P)) as workload:
        before = session.snapshot()
        workload.touch()
        seen = session.snapshot() - before
        result = workload.result()
    cold.unlink()
    assert result.faults_major > 0
    if session.plan.way("read_fault") == "none":
        return
    faults = seen.total("read_fault", origin="user", uffd_mode="none", backing="file").count
    # Beside the touches the process faults in a page or two of its own code.
    assert 0 <= faults - result.expected_faults <= 3
    runs = seen.total("fault_around_run", uffd_mode="none", backing="file").count
    if session.plan.way("map_pages") != "tracepoint":
        assert runs > faults


def test_unread_messages_show_as_waiting(session: Session) -> None:
    """How many wait now, and since when, while the handlers take their time."""
    before = session.snapshot()
    # Each handler holds one thread for as long: so long do all five wait, less the little they begin apart.
    options = Options(
        backing="anon", mode="missing", threads=5, handlers=5, delay_us=2_000_000, gather=True, pages=5
    )
    begun = time.monotonic_ns()
    with gated(options) as workload:
        workload.release()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            seen = session.snapshot() - before
            if seen.waiting_now == 5 and len(seen.waiting) == 5:
                break
        assert (seen.waiting_now, len(seen.waiting)) == (5, 5)
        assert {row.tgid for row in seen.waiting} == {workload.pid}
        assert {row.reason for row in seen.waiting} == {"missing"}
        assert len({row.tid for row in seen.waiting}) == 5
        assert all(begun < row.start_ns < seen.monotonic_ns for row in seen.waiting)
        workload.result()
    assert (session.snapshot() - before).waiting_now == 0


def test_ioctls_are_not_seen_by_what_every_system_call_pays_for(session: Session, way: WayName) -> None:
    hook = session.plan.hook("resolve")
    if way == "tracepoint":
        assert (hook.way, hook.attachments) == ("none", ())
        assert "it costs every system call of the machine" in hook.reason
    else:
        assert hook.way == way
    assert session.program_runs() is None
