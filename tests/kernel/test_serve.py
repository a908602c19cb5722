# SPDX-License-Identifier: GPL-2.0-only
"""The service by probes on functions, and a hook that dies under it; natively ``tests/service`` does more."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.workload.run import Options
from tests.exposition import families
from tests.kernel.emulated import run
from tests.service.running import PATIENCE, running
from tests.ways import AVAILABLE

PAGES = 509


@pytest.fixture
def kprobes(tmp_path: Path) -> Iterator[Path]:
    """The switch of all kprobes of the machine, on again afterwards."""
    mount = tmp_path / "debugfs"
    mount.mkdir()
    subprocess.run(["mount", "-t", "debugfs", "debugfs", mount], check=True)
    switch = mount / "kprobes/enabled"
    try:
        yield switch
    finally:
        switch.write_text("1")
        subprocess.run(["umount", mount], check=True)


if "kprobe" in AVAILABLE and "UFFD_THROWAWAY" in os.environ:

    def test_it_counts_and_notices_that_its_hooks_have_died(kprobes: Path, tmp_path: Path) -> None:
        with running(tmp_path / "log", "--best-way=kprobe", "--tick=0.5", "--policy=seed") as service:
            result = run(Options(backing="memfd", mode="missing", pages=PAGES))
            waited = run(Options(backing="memfd", mode="minor", pages=PAGES))
            by_mode = {"backing": "shmem", "uffd_mode": "missing", "fault_around": "ran"}
            count = service.figure("uffd_read_fault_duration_seconds_count", **by_mode)
            assert count == result.expected_faults
            mapped = service.figure("uffd_fault_around_mapped_pages_total", uffd_mode="missing")
            assert mapped == result.cached_before
            minor = service.figure("uffd_userfaults_total", reason="minor", result="resolved")
            assert minor == waited.expected_userfaults.minor == PAGES
            continued = service.figure("uffd_resolve_duration_seconds_count", op="continue", result="ok")
            assert continued == sum(waited.ioctls["CONTINUE"].values())
            assert service.figure("uffd_fault_around_policy_violated", uffd_mode="missing") == 1
            assert "uffd_gup_read_faults" in families(service.get("/metrics").text)

            kprobes.write_text("0")
            deadline = time.monotonic() + PATIENCE
            # Beginning and completion of a fault come from tracepoints by this way too, and stay alive.
            dead = ("map_pages", "read_fault")
            while not all(f"the hook {hook} has died" in service.get("/-/ready").text for hook in dead):
                assert time.monotonic() < deadline, service.get("/-/ready").text
                time.sleep(0.1)
            service.get("/-/ready").problem(503)
            assert service.figure("uffd_profiler_ready") == 0
            for hook in dead:
                assert service.figure("uffd_profiler_hook_attached", hook=hook) == 0
            assert service.figure("uffd_profiler_hook_attached", hook="fault") == 1
            assert "level=error" in service.said()

            kprobes.write_text("1")
            service.wait_ready()
            assert service.figure("uffd_profiler_hook_attached", hook="map_pages") == 1
