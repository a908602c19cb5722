# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels by turns: what differs is found, and between a kernel and itself nothing is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGES = 127
WINDOWS = 8
"""Of 16 pages: as often does a read of 127 pages fault that maps its neighbours."""

pytestmark = pytest.mark.vm


def _experiment(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # Two runs of a side show that a count is exact.
    small = ("--turns", "1", "--repeat", "2", "--pages", str(PAGES), "--best-way", "kprobe")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "profiler",
            "experiment",
            *arguments,
            *small,
            "--json",
            str(folder / "c.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def _rows(folder: Path, figure: str) -> dict[tuple[str, str, bool], Any]:
    """Mode, page cache and whether protected and gone → the row of the figure."""
    document = json.loads((folder / "c.json").read_text())
    return {
        (workload["options"]["mode"], workload["options"]["cache"], workload["options"]["marker"]): row
        for workload in document["workloads"]
        for row in workload["rows"]
        if row["figure"] == figure
    }


def test_the_seeds_patch_costs_faults_and_saves_empty_runs(tmp_path: Path) -> None:
    done = _experiment(tmp_path, "lab:mainline", "lab:seed", "--fail-if", "read_faults@missing>+10%")
    assert done.returncode == 1, done.stderr
    assert "is met" in done.stderr
    faults, empty = _rows(tmp_path, "read_faults"), _rows(tmp_path, "empty_runs")
    full, holes = faults["missing", "full", False], empty["missing", "empty", False]
    assert (full["before"], full["after"]) == (WINDOWS, PAGES)
    assert (holes["before"], holes["after"]) == (PAGES, 0)
    for (mode, _, _), row in faults.items():
        if mode != "missing":
            assert row["before"] == row["after"]


def test_between_a_kernel_and_itself_no_count_differs(tmp_path: Path) -> None:
    done = _experiment(tmp_path, "lab:seed", "lab:seed")
    assert done.returncode == 0, done.stderr
    for figure in ("read_faults", "fault_around_runs", "pages_mapped", "userfaults_begun"):
        for row in _rows(tmp_path, figure).values():
            assert row["before"] == row["after"]
            assert row["shown"] == "none shown"


def test_another_fault_around_bytes_differs_where_fault_around_runs(tmp_path: Path) -> None:
    done = _experiment(tmp_path, "lab:mainline", "lab:mainline,fault_around_bytes=8192")
    assert done.returncode == 0, done.stderr
    faults = _rows(tmp_path, "read_faults")
    ran, skipped = faults["none", "full", False], faults["wp", "full", False]
    assert (ran["before"], ran["after"]) == (WINDOWS, (PAGES + 1) // 2)
    assert (skipped["before"], skipped["after"]) == (PAGES, PAGES)
