# SPDX-License-Identifier: GPL-2.0-only
"""What everything attached costs a fault: ratios of runs with and without, interleaved, by medians.

The workload times its own touches (two clock readings are in each, with and without alike).
"""

import statistics

from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.workload.run import Options, run

ROUNDS = 15
CASES = {
    "anonymous write fault, unregistered": Options(backing="anon", access="write", pages=8209),
    "read fault that faults around (16 pages)": Options(backing="memfd", pages=65521),
    "read fault, WP: one page": Options(backing="memfd", mode="wp", pages=8209),
    "userfault, MINOR: waits for its handler": Options(backing="memfd", mode="minor", pages=4099),
}


def ns_per_fault(options: Options) -> float:
    """Of one run: time inside the touches over the faults taken."""
    result = run(options)
    return result.touch_ns_total / result.expected_faults


def main() -> None:
    """Print a table: without, with, the difference and the ratio."""
    without: dict[str, list[float]] = {name: [] for name in CASES}
    attached: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, options in CASES.items():
            without[name].append(ns_per_fault(options))
        with Session(Request()) as session:
            way = session.plan.way("fault")
            for name, options in CASES.items():
                attached[name].append(ns_per_fault(options))
    print(f"system-wide, fault seen by {way}; ns per fault, medians of {ROUNDS} interleaved runs")
    print(f"{'':<42}{'without':>9}{'with':>9}{'added':>8}{'ratio':>7}")
    for name in CASES:
        before, after = statistics.median(without[name]), statistics.median(attached[name])
        print(f"{name:<42}{before:>9.0f}{after:>9.0f}{after - before:>8.0f}{after / before:>7.2f}")


if __name__ == "__main__":
    main()
