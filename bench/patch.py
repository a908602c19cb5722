# SPDX-License-Identifier: GPL-2.0-only
"""What the patch of December 2020 saves and costs: the grid on three kernels that differ in the gate alone.

Counts are exact and the same in every run. Instructions are those of the touches while nothing is attached,
counted by QEMU; they know no caches, so they are no times.
"""

import sys
from collections.abc import Mapping
from statistics import median

from profiler.commands.vm import find_kernel
from profiler.comparison.runs import Run, Series
from profiler.experiment.grid import cells
from profiler.experiment.side import Machine, parse
from profiler.experiment.turns import Turns, turn

KERNELS = ("lab:ungated", "lab:mainline", "lab:seed")
_TURNS = Turns(1, ("--repeat", "3", "--best-way", "kprobe"), instructions=True, timeout=1800)


def main() -> int:
    """Measure and print the table of the README."""
    series = {}
    for name in KERNELS:
        print(f"{name} …", file=sys.stderr, flush=True)
        series[name] = turn(Machine(parse(name), find_kernel(name)), 0, _TURNS, print)
    print("\n".join(table(series)))
    return 0


def table(series: Mapping[str, Series]) -> list[str]:
    """Lines of the table: a row for each workload, of each kernel three figures.

    :raises ValueError: a count differs between the runs of a workload.
    """
    heads = [f"{name.removeprefix('lab:')}" for name in series]
    lines = [
        "| region, page cache | "
        + " | ".join(
            f"{what}: {', '.join(heads)}" for what in ("read faults per MiB", "empty runs", "insn per page")
        )
        + " |",
        "|---" * 4 + "|",
    ]
    for cell in (_named(cell.mode, cell.cache or "full", cell.marker) for cell in cells()):
        runs = [[run for run in one.runs if _cell(run) == cell] for one in series.values()]
        columns = [
            ", ".join(_the_only({figure(run) for run in of_one}) for of_one in runs)
            for figure in (_faults_per_mib, _empty_runs)
        ]
        columns.append(", ".join(_instructions_per_page(of_one) for of_one in runs))
        lines.append(f"| {cell} | " + " | ".join(columns) + " |")
    return lines


def _cell(run: Run) -> str:
    options = run.workload
    return _named(str(options["mode"]), str(options["cache"]), bool(options["marker"]))


def _named(mode: str, cache: str, marker: bool) -> str:
    return f"{mode}, {cache}" + ", protected and gone" * marker


def _the_only(values: set[int]) -> str:
    if len(values) != 1:
        raise ValueError(f"not the same in every run: {sorted(values)}")
    return str(values.pop())


def _shmem(run: Run, family: str) -> list[dict[str, int]]:
    entries = run.profile["families"][family] or []
    return [entry for entry in entries if entry["backing"] == "shmem"]


def _faults_per_mib(run: Run) -> int:
    return round(sum(entry["count"] for entry in _shmem(run, "read_fault")) / run.touched_pages * 256)


def _empty_runs(run: Run) -> int:
    runs = _shmem(run, "fault_around_run")
    return sum(entry["buckets"][0]["count"] for entry in runs)  # type: ignore[index]


def _instructions_per_page(runs: list[Run]) -> str:
    """Median, to three figures: an interrupt now and then makes the rest."""
    return f"{float(f'{median((run.unwatched_ns or 0) / run.touched_pages for run in runs):.3g}'):.0f}"


if __name__ == "__main__":
    sys.exit(main())
