# SPDX-License-Identifier: GPL-2.0-only
"""Whatever dies, at whatever moment: no program, map, link or probe of ours remains."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from profiler.hooks.catalogue import WayName
from tests.bpf_objects import Ids, ids, leftovers, settled
from tests.kernel.emulated import IN_VM

ALSO_BY = ("kprobe",)
"""A probe is an object of the kernel's own, which could outlive its program."""
KILLS = 10 if IN_VM else 50
AT_ONCE = 2
"""An attachment compiles on one CPU for most of its time."""

SLOW = 300.0
"""Seconds that are no matter of speed any more, even under emulation on a busy machine."""

PROBES = Path("/sys/kernel/debug/kprobes/list")
KPROBE_EVENTS = Path("/sys/kernel/tracing/kprobe_events")


def _command(way: WayName) -> list[str]:
    return [sys.executable, "-m", "profiler", "profile", "--best-way", way, "-d", "3600"]


def _start(way: WayName) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(_command(way), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _probes() -> str:
    return "".join(path.read_text() for path in (PROBES, KPROBE_EVENTS) if path.exists())


def _until(holds: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + SLOW
    while not holds():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)


def _holds_links(pid: int) -> bool:
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if re.match(r"anon_inode:.*(bpf|perf)", str(fd.readlink())):
                return True
    return False


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@dataclass(frozen=True)
class Profiled:
    """A profile that is attached, and what there was before it began."""

    process: "subprocess.Popen[bytes]"
    seconds: float
    """From its start until it was attached."""
    ids: Ids
    probes: str


@pytest.fixture(scope="module")
def profiled(way: WayName) -> Iterator[Profiled]:
    """Left attached: to be looked at, then to be killed."""
    before, probes = ids(), _probes()
    begun = time.monotonic()
    process = _start(way)
    try:
        _until(lambda: _holds_links(process.pid) and not _children(process.pid), process)
        yield Profiled(process, time.monotonic() - begun, before, probes)
    finally:
        _end(process)


def test_after_attaching_no_privilege_is_left(profiled: Profiled) -> None:
    pid = profiled.process.pid
    # It gives them up a moment after it has taken everything over: what is judged is that it does.
    _until(lambda: _status(pid)["NoNewPrivs"] == "1", profiled.process)
    status = _status(pid)
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].split() == []
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "libbcc" not in maps
    assert "LLVM" not in maps
    assert "libbpf" not in maps
    # Of memory: the interpreter and the slots; LLVM alone would be more than twice as much.
    assert int(status["VmRSS"].split()[0]) < 48 * 1024


def test_kill_at_any_moment(way: WayName, profiled: Profiled) -> None:
    before = profiled.ids
    _end(profiled.process)
    assert settled(before, 60), leftovers(before)
    chance = random.Random(57)  # noqa: S311
    for _ in range(KILLS // AT_ONCE):
        processes = [_start(way) for _ in range(AT_ONCE)]
        moments = sorted(chance.uniform(0, 1.3 * profiled.seconds) for _ in processes)
        begun = time.monotonic()
        for process, moment in zip(processes, moments, strict=True):
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            _end(process)
    assert settled(before, 60), leftovers(before)
    assert _probes() == profiled.probes


def test_the_attaching_child_is_killed(way: WayName) -> None:
    before = ids()
    process = subprocess.Popen(_command(way), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _until(lambda: bool(_children(process.pid)), process)
        os.kill(_children(process.pid)[0], signal.SIGKILL)
        _, said = process.communicate(timeout=SLOW)
    finally:
        process.kill()
    assert process.returncode == 4
    assert "died before" in said
    assert "SIGKILL" in said
    assert "Traceback" not in said
    assert settled(before, 60), leftovers(before)
