# SPDX-License-Identifier: GPL-2.0-only
"""Faults that reach do_swap_page: swap slots told apart from everything else that is not present."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.hooks.session import Session
from profiler.workload.run import Options, run

P = 509


@pytest.fixture
def swap(session: Session) -> Iterator[bool]:
    """A swap device of compressed memory: only in a VM, which is thrown away; the machine's own is let be."""
    if session.plan.way("swap_entry") == "none":
        yield False
        return
    if "UFFD_THROWAWAY" not in os.environ:
        pytest.fail("swap is set up only in a VM: run this by `make test-vm`")
    device = Path("/dev/zram0")
    subprocess.run(["modprobe", "zram"], check=True)
    Path("/sys/block/zram0/disksize").write_text("256M")
    subprocess.run(["mkswap", device], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["swapon", device], check=True)
    yield True
    subprocess.run(["swapoff", device], check=True)
    Path("/sys/block/zram0/reset").write_text("1")


def test_swapped_out_pages_come_back(session: Session, swap: bool) -> None:
    before = session.snapshot()
    if not swap:
        assert before.total("swap_fault").count == 0
        return
    result = run(Options(backing="anon", swap=True, pages=P))
    seen = session.snapshot() - before
    assert result.swapped_before > P // 2
    assert seen.total("swap_fault", kind="swap_slot", uffd_wp="no").count == result.expected_faults
    assert seen.total("swap_fault").count == result.expected_faults


def test_protected_pages_are_protected_in_swap(session: Session, swap: bool) -> None:
    before = session.snapshot()
    if not swap:
        assert before.total("swap_fault").count == 0
        return
    result = run(Options(backing="anon", mode="wp", populate=True, marker=True, swap=True, pages=P))
    seen = session.snapshot() - before
    assert result.swapped_before > P // 2
    assert seen.total("swap_fault", kind="swap_slot", uffd_wp="yes").count == result.expected_faults
    assert seen.total("swap_fault").count == result.expected_faults


@pytest.mark.parametrize("access", ["read", "write"])
def test_markers_are_no_swap_slots(session: Session, access: str) -> None:
    before = session.snapshot()
    run(
        Options(
            backing="memfd", mode="wp", marker=True, access="read" if access == "read" else "write", pages=P
        )
    )
    seen = session.snapshot() - before
    if session.plan.way("swap_entry") == "none":
        assert seen.total("swap_fault").count == 0
        return
    assert seen.total("swap_fault", kind="other", uffd_wp="yes").count == P
    assert seen.total("swap_fault").count == P
