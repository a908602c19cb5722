# SPDX-License-Identifier: GPL-2.0-only
"""A process is followed with the descendants that it has already."""

import ctypes as ct
import os
import signal

import pytest

from profiler.hooks import processes
from profiler.hooks.processes import COUNTED, FOLLOWED, insert, parents

PR_SET_NAME = 15


class Machine:
    """A process tree; ``follow`` may let it grow, as forks do meanwhile."""

    def __init__(self, parent_of: dict[int, int]) -> None:
        self.parent_of = dict(parent_of)
        self.followed: dict[int, int] = {}
        self.order: list[int] = []
        self.births: dict[int, dict[int, int]] = {}

    def follow(self, pid: int, how: int) -> None:
        assert pid not in self.followed, "followed twice: what BPF noted of it meanwhile would be lost"
        self.followed[pid] = how
        self.order.append(pid)
        self.parent_of |= self.births.pop(pid, {})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    # 1 ─ 10 ─ 20 ─ 30, 10 ─ 21, 1 ─ 11 ─ 22
    found = Machine({10: 1, 11: 1, 20: 10, 21: 10, 30: 20, 22: 11})
    monkeypatch.setattr(processes, "parents", lambda: dict(found.parent_of))
    return found


BOTH = COUNTED | FOLLOWED


def test_all_descendants_are_counted_and_followed(machine: Machine) -> None:
    insert(machine.follow, {10: BOTH})
    assert machine.followed == {10: BOTH, 20: BOTH, 21: BOTH, 30: BOTH}


def test_a_parent_comes_ahead_of_its_children(machine: Machine) -> None:
    """A fork between the two is caught by the tracepoint only if the parent is there."""
    insert(machine.follow, {10: BOTH})
    assert machine.order.index(10) < machine.order.index(20) < machine.order.index(30)


def test_a_process_that_is_only_followed_is_not_counted_its_children_are(machine: Machine) -> None:
    insert(machine.follow, {11: FOLLOWED})
    assert machine.followed == {11: FOLLOWED, 22: BOTH}


def test_a_process_that_is_only_counted_leaves_its_children_alone(machine: Machine) -> None:
    insert(machine.follow, {10: COUNTED})
    assert machine.followed == {10: COUNTED}


def test_several_roots_one_inside_the_other(machine: Machine) -> None:
    insert(machine.follow, {20: BOTH, 10: BOTH, 11: BOTH})
    assert set(machine.followed) == {10, 11, 20, 21, 22, 30}


def test_a_process_without_children(machine: Machine) -> None:
    insert(machine.follow, {30: BOTH})
    assert machine.followed == {30: BOTH}


def test_nothing_to_follow(machine: Machine) -> None:
    insert(machine.follow, {})
    assert machine.followed == {}


def test_children_born_during_the_scan_are_found_by_the_next(machine: Machine) -> None:
    machine.births = {20: {40: 20}, 40: {50: 40}}
    insert(machine.follow, {10: BOTH})
    assert {40, 50} <= set(machine.followed)


def test_parents_of_this_machine() -> None:
    found = parents()
    assert found[os.getpid()] == os.getppid()
    assert found[1] == 0


@pytest.mark.parametrize("name", [b"a) R 1 (b", b"x y z", b") S 1 ", b"\xff\xfe", b"("])
def test_a_command_name_may_hold_anything(name: bytes) -> None:
    ready, said = os.pipe()
    child = os.fork()
    if child == 0:
        ct.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)
        os.write(said, b"r")
        signal.pause()
    try:
        os.read(ready, 1)
        assert parents()[child] == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(said)
