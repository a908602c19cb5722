# SPDX-License-Identifier: GPL-2.0-only
"""Slow userfaults leave a note: who waited, for how long, until when; the last one of each bucket."""

import time
from bisect import bisect_left

from profiler.hooks.session import Session
from profiler.slots import BUCKETS, SLOW_BUCKET, time_boundaries_ns
from profiler.snapshot import Recent, Snapshot
from profiler.workload.run import Options, gated

LIMITS = (*time_boundaries_ns(), 1 << 64)


def _slow(backing: str, delay_us: int, pages: int = 7, threads: int = 1) -> Options:
    mode = "missing" if backing == "anon" else "minor"
    return Options(
        backing="anon" if backing == "anon" else "memfd",
        mode=mode,
        delay_us=delay_us,
        pages=pages,
        threads=threads,
        handlers=threads,
    )


def _counted(seen: Snapshot) -> set[tuple[str, str, int]]:
    """Reason, backing and bucket of the userfaults that count as slow."""
    found = set()
    for (reason, backing, _), slot in seen.slots["userfault"].items():
        above = slot.count - sum(slot.buckets)
        events = [*slot.buckets, above]
        found |= {(reason, backing, b) for b in range(SLOW_BUCKET, BUCKETS + 1) if events[b]}
    return found


def _labels(recent: tuple[Recent, ...]) -> set[tuple[str, str, int]]:
    return {(last.reason, last.backing, last.bucket) for last in recent}


def test_each_bucket_of_slow_userfaults_has_its_note(session: Session) -> None:
    before = session.snapshot()
    pids = set()
    for options in (_slow("anon", 3_000, threads=4, pages=29), _slow("memfd", 40_000)):
        with gated(options) as workload:
            pids.add(workload.pid)
            workload.result()
    seen = session.snapshot() - before
    held = {bucket for reason, backing, bucket in _counted(seen) if (reason, backing) == ("minor", "shmem")}
    # Held for 40 ms, and on a busy machine for longer.
    assert max(held) >= bisect_left(LIMITS, 40_000_000)
    assert _labels(seen.recent) == _counted(seen)
    assert len(seen.recent) == len(_labels(seen.recent))
    assert {last.tgid for last in seen.recent} == pids
    for last in seen.recent:
        assert LIMITS[last.bucket - 1] < last.ns <= LIMITS[last.bucket]
        assert before.monotonic_ns < last.end_ns - last.ns
        assert last.end_ns <= seen.monotonic_ns
    assert list(seen.recent) == sorted(seen.recent, key=lambda last: last.end_ns)


def test_the_thread_that_waited_and_not_the_one_that_woke_it(session: Session) -> None:
    before = session.snapshot()
    # One after the other, the first of them for half a second: until then all five have to be seen.
    options = Options(
        backing="anon", mode="missing", threads=5, handlers=1, delay_us=500_000, gather=True, pages=5
    )
    with gated(options) as workload:
        workload.release()
        waiting: dict[int, int] = {}
        deadline = time.monotonic() + 60
        while len(waiting) < 5:
            assert time.monotonic() < deadline
            waiting |= {row.tid: row.start_ns for row in (session.snapshot() - before).waiting}
        workload.result()
    recent = (session.snapshot() - before).recent
    assert recent
    for last in recent:
        assert last.tid in waiting
        # Counted when the fault completed, a moment after its wait.
        assert 0 <= last.end_ns - last.ns - waiting[last.tid] < 1_000_000_000


def test_the_last_one_of_its_bucket(session: Session) -> None:
    first = session.snapshot()
    pids = []
    for _ in range(2):
        before = session.snapshot()
        with gated(_slow("memfd", 20_000)) as workload:
            pids.append(workload.pid)
            workload.result()
    now = session.snapshot()
    of_the_second = _counted(now - before)
    assert of_the_second
    for last in (now - first).recent:
        if (last.reason, last.backing, last.bucket) in of_the_second:
            assert last.tgid == pids[1]
    assert _labels((now - before).recent) == of_the_second
    assert (session.snapshot() - now).recent == ()


def test_waits_that_are_not_slow_leave_none(session: Session) -> None:
    before = session.snapshot()
    with gated(Options(backing="memfd", mode="minor", pages=1021)) as workload:
        workload.result()
    seen = session.snapshot() - before
    assert seen.total("userfault").count == 1021
    # On a busy machine some are slow after all: then they are counted as such.
    assert _labels(seen.recent) == _counted(seen)
