# SPDX-License-Identifier: GPL-2.0-only
"""Whatever dies, at whatever moment: no program, map, link or probe of ours remains."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from profiler.hooks.catalogue import WayName
from tests.bpf_objects import ids, leftovers, settled

KILLS = 50
PROBES = Path("/sys/kernel/debug/kprobes/list")
KPROBE_EVENTS = Path("/sys/kernel/tracing/kprobe_events")


def _start(way: WayName, *extra: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "profiler", "profile", "--best-way", way, "-d", "60", *extra]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _probes() -> str:
    return "".join(path.read_text() for path in (PROBES, KPROBE_EVENTS) if path.exists())


def _wait_until_attached(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while not _holds_links(process.pid) or _children(process.pid):
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


# Under emulation a start takes seconds: fewer kills there, each way at least a few times.
def test_kill_at_any_moment(way: WayName) -> None:
    before = ids()
    probes = _probes()
    begun = time.monotonic()
    process = _start(way)
    _wait_until_attached(process)
    attached_after = time.monotonic() - begun
    process.kill()
    process.wait()
    assert settled(before), leftovers(before)
    kills = KILLS if attached_after < 5 else 2
    chance = random.Random(57)  # noqa: S311
    for _ in range(kills):
        process = _start(way)
        time.sleep(chance.uniform(0, 1.3 * attached_after))
        process.kill()
        process.wait()
    assert settled(before, 30), leftovers(before)
    assert _probes() == probes


def test_the_attaching_child_is_killed(way: WayName) -> None:
    before = ids()
    process = subprocess.Popen(
        [sys.executable, "-m", "profiler", "profile", "--best-way", way, "-d", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not _children(process.pid):
        time.sleep(0.005)
    os.kill(_children(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "died before" in said
    assert "SIGKILL" in said
    assert "Traceback" not in said
    assert settled(before), leftovers(before)


def test_after_attaching_no_privilege_is_left(way: WayName) -> None:
    before = ids()
    process = _start(way)
    try:
        _wait_until_attached(process)
        time.sleep(0.3)
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        )
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Gid"].split() == ["65534"] * 4
        assert status["Groups"].split() == []
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libbcc" not in maps
        assert "LLVM" not in maps
        assert "libbpf" not in maps
        # Of memory: the interpreter and the slots; LLVM alone would be more than twice as much.
        assert int(status["VmRSS"].split()[0]) < 48 * 1024
    finally:
        process.kill()
        process.wait()
    assert settled(before), leftovers(before)
