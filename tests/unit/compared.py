# SPDX-License-Identifier: GPL-2.0-only
"""Makers of what ``compare`` reads: profiles and series of runs with known figures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

from profiler.comparison.compare import compare
from profiler.comparison.documents import ProfileDocument
from profiler.comparison.loading import load
from profiler.comparison.result import Comparison, Group, Row
from profiler.comparison.runs import Run, Series
from profiler.hooks.planner import Plan
from profiler.kernel.clock import Clock
from profiler.profile import Command, KernelFacts
from profiler.reports import json as reports_json
from profiler.snapshot import Labels, Slot
from tests.unit import samples

Slots = dict[str, dict[Labels, Slot]]
Document = dict[str, Any]
MODES = ("none", "missing", "wp", "minor")


def document(
    slots: Slots,
    plan: Plan | None = None,
    command: tuple[str, ...] | None = ("./restore", "vm.img"),
    release: str = "6.1.0",
    pids: tuple[int, ...] = (),
    duration_ns: int = 10 * samples.SECOND,
    clock: Clock = "hardware",
) -> Document:
    """A profile as a document."""
    profile = samples.profile(
        plan or samples.fentry_plan(),
        samples.snapshot(slots, duration_ns),
        command=Command(command, 0) if command else None,
        kernel=KernelFacts(release, "x86_64", 65536, None, clock),
        pids=pids,
    )
    return cast(Document, json.loads(reports_json.render(profile)))


def reads(mode: str, faults: int, ns: Sequence[int], ran: bool = True, mapped: int = 16) -> Slots:
    """Read faults of one mode, of the times ``ns`` in turn; each run maps ``mapped`` pages."""
    times = [ns[i % len(ns)] for i in range(faults)]
    outcome = "ran" if ran else "skipped"
    runs: dict[Labels, Slot] = {}
    if ran:
        runs[mode, "shmem"] = samples.slot("fault_around_run", [mapped] * faults)
    return {
        "read_fault": {("user", mode, "shmem", outcome): samples.slot("read_fault", times)},
        "fault_around_run": runs,
    }


def lost(cause: str, events: int = 1) -> Slots:
    """Events that were missed."""
    return {"missed": {(cause,): samples.slot("missed", [0] * events)}}


def merged(*parts: Slots) -> Slots:
    """Slots of several kinds together."""
    found: Slots = {}
    for part in parts:
        for family, slots in part.items():
            found.setdefault(family, {}).update(slots)
    return found


def workload(mode: str, **other: str | int | bool | None) -> dict[str, str | int | bool | None]:
    """Options of a workload."""
    options: dict[str, str | int | bool | None] = {"backing": "memfd", "mode": mode, "cache": "full"}
    return options | {"access": "read", "pages": 4096, "gup": None} | other


def run(
    options: dict[str, str | int | bool | None],
    slots: Slots,
    repetition: int = 0,
    block: int | None = None,
    pages: int = 4096,
    plan: Plan | None = None,
    clock: Clock = "hardware",
    unwatched_ns: int | None = None,
) -> Run:
    """One run of a series."""
    profile = document(slots, plan, ("workload",), clock=clock)
    return Run(
        options,
        pages,
        repetition,
        repetition if block is None else block,
        cast(ProfileDocument, profile),
        unwatched_ns,
    )


def grid(
    label: str,
    make: Callable[[str, Random], Slots],
    modes: Sequence[str] = MODES,
    repetitions: int = 8,
    clock: Clock = "hardware",
    seed: int = 1,
    first_block: int = 0,
    size: int | None = 65536,
) -> Series:
    """Each mode so many times, interleaved; ``make`` gives what a run counted."""
    random = Random(f"{label} {seed}")  # noqa: S311
    runs = [
        run(workload(mode), make(mode, random), repetition, first_block + repetition, clock=clock)
        for repetition in range(repetitions)
        for mode in modes
    ]
    return Series(label, clock, size, tuple(runs))


def ungated(mode: str, random: Random) -> Slots:
    """Fault-around runs in every mode; the times vary by 5 % from run to run."""
    ns = int(3_000 * random.gauss(1, 0.05))
    return reads(mode, 256, (ns, ns + 500))


def mainline(mode: str, random: Random) -> Slots:
    """It is skipped for WP and MINOR."""
    ns = int(3_000 * random.gauss(1, 0.05))
    return (
        reads(mode, 4096, (ns // 3,), ran=False)
        if mode in ("wp", "minor")
        else reads(mode, 256, (ns, ns + 500))
    )


def written(folder: Path, name: str, content: Document | Series) -> str:
    """The path of the document as a file."""
    data = content.to_json() if isinstance(content, Series) else content
    path = folder / f"{name}.json"
    path.write_text(json.dumps(data))
    return str(path)


def compared(folder: Path, before: Document | Series, after: Document | Series) -> Comparison:
    """Through files, as the command does it."""
    return compare(load(written(folder, "before", before)), load(written(folder, "after", after)))


def group(comparison: Comparison, mode: str | None) -> Group:
    """The total of a mode; ``None``: of all."""
    return next(group for group in comparison.totals if group.mode == mode)


def row(rows: Group | Comparison, figure: str, **labels: str) -> Row:
    """One row of a group, or of the families."""
    if isinstance(rows, Group):
        found = rows.rows
    else:
        found = tuple(r for family in rows.families for r in family.rows)
    return next(r for r in found if r.figure.name == figure and r.labels == labels)
