# SPDX-License-Identifier: GPL-2.0-only
"""Whose faults are counted, and what becomes of a thread that dies while it waits."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from profiler.errors import Exit, UserError
from profiler.hooks import program
from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import COUNTED, FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.workload.run import Gated, Options, gated
from tests.kernel.emulated import run
from tests.kernel.missed import nothing_missed

OURS = Options(backing="memfd", mode="minor", pages=61)
OTHERS = Options(backing="memfd", mode="minor", pages=127)
DOOMED = Options(backing="anon", mode="missing", threads=5, gather=True, delay_us=60_000_000, pages=5)


@dataclass
class Parent:
    """A process that was forked ahead of the session, and has a workload as its child."""

    pid: int
    go: int
    """Write end of the pipe that it waits at."""
    ended: bool = False

    def let_its_child_touch(self) -> None:
        os.write(self.go, b"g")
        self.ended = True
        assert os.waitpid(self.pid, 0)[1] == 0


@contextmanager
def _parent() -> Iterator[Parent]:
    go_read, go_write = os.pipe()
    ready_read, ready_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(go_write)  # what is left of it is the test's: its death ends this wait
            with gated(OURS) as workload:
                os.write(ready_write, b"r")
                if os.read(go_read, 1):
                    workload.touch()
                    workload.result()
                    code = 0
        finally:
            os._exit(code)
    os.close(ready_write)
    parent = Parent(pid, go_write)
    try:
        assert os.read(ready_read, 1) == b"r"
        yield parent
    finally:
        for fd in (go_read, go_write, ready_read):
            os.close(fd)
        if not parent.ended:
            os.waitpid(pid, 0)


@dataclass(frozen=True)
class Chosen:
    """A session of processes that run already: two workloads, and a parent."""

    session: Session
    workload: Gated
    doomed: Gated
    parent: Parent


@pytest.fixture(scope="module")
def chosen(way: WayName) -> Iterator[Chosen]:
    how = COUNTED | FOLLOWED
    with (
        _parent() as parent,
        gated(OURS) as ours,
        gated(DOOMED) as doomed,
        Session(Request(dict.fromkeys((ours.pid, doomed.pid, parent.pid), how), way)) as session,
    ):
        yield Chosen(session, ours, doomed, parent)
        nothing_missed(session.snapshot())


def test_a_process_that_runs_already_and_nobody_else(chosen: Chosen) -> None:
    before = chosen.session.snapshot()
    run(OTHERS)
    chosen.workload.touch()
    seen = chosen.session.snapshot() - before
    assert seen.total("userfault_begun", reason="minor").count == 61
    assert seen.total("userfault_begun").count == 61
    chosen.workload.result()


def test_descendants_that_exist_already(chosen: Chosen) -> None:
    before = chosen.session.snapshot()
    chosen.parent.let_its_child_touch()
    seen = chosen.session.snapshot() - before
    assert seen.total("userfault_begun", reason="minor").count == 61
    assert seen.total("userfault_begun").count == 61


def test_killed_while_waiting(chosen: Chosen) -> None:
    session, workload = chosen.session, chosen.doomed
    before = session.snapshot()
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


def _until(holds: object, seconds: float = 100) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_more_processes_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(program._CONSTANTS, "PROCESSES", 1)
    monkeypatch.setattr(program, "PROCESSES", 1)
    with pytest.raises(UserError, match=r"more processes to follow than there is room for \(1\)") as error:
        Session(Request({os.getpid(): COUNTED, os.getppid(): COUNTED}))
    assert error.value.code == Exit.CANNOT_ATTACH
