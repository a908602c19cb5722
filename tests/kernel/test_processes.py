# SPDX-License-Identifier: GPL-2.0-only
"""Whose faults are counted, and what becomes of a thread that dies while it waits."""

import os
import signal
import time

from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import COUNTED, FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.workload.run import Options, gated, run

OURS = Options(backing="memfd", mode="minor", pages=61)
OTHERS = Options(backing="memfd", mode="minor", pages=127)


def test_a_process_that_runs_already_and_nobody_else(way: WayName) -> None:
    with (
        gated(OURS) as ours,
        Session(Request({ours.process.pid: COUNTED | FOLLOWED}, way)) as session,
    ):
        run(OTHERS)
        ours.touch()
        seen = session.snapshot()
        assert seen.total("userfault_begun", reason="minor").count == 61
        assert seen.total("userfault_begun").count == 61
        ours.result()


def test_descendants_that_exist_already(way: WayName) -> None:
    # A parent of our own, forked ahead of the session; the workload is its child.
    go_read, go_write = os.pipe()
    done_read, done_write = os.pipe()
    parent = os.fork()
    if parent == 0:
        code = 1
        try:
            with gated(OURS) as workload:
                os.write(done_write, b"r")
                os.read(go_read, 1)
                workload.touch()
                workload.result()
            code = 0
        finally:
            os._exit(code)
    assert os.read(done_read, 1) == b"r"
    with Session(Request({parent: COUNTED | FOLLOWED}, way)) as session:
        os.write(go_write, b"g")
        assert os.waitpid(parent, 0)[1] == 0
        assert session.snapshot().total("userfault_begun", reason="minor").count == 61
    for fd in (go_read, go_write, done_read, done_write):
        os.close(fd)


def test_killed_while_waiting(session: Session) -> None:
    before = session.snapshot()
    options = Options(backing="anon", mode="missing", threads=5, gather=True, delay_us=60_000_000, pages=5)
    with gated(options) as workload:
        workload.release()
        _until(lambda: (session.snapshot() - before).waiting_now == 5)
        os.kill(workload.pid, signal.SIGKILL)
        _until(lambda: (session.snapshot() - before).waiting_now == 0)
        # The threads leave one after the other.
        _until(lambda: (session.snapshot() - before).total("userfault").count == 5)
    seen = session.snapshot() - before
    assert seen.waiting == ()
    assert seen.total("userfault_begun").count == 5
    assert seen.total("userfault", result="interrupted").count == 5


def _until(holds: object, seconds: float = 60) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
