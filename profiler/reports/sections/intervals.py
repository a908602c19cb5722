# SPDX-License-Identifier: GPL-2.0-only
"""A row per interval."""

from ...hooks.planner import Plan
from ...profile import Profile
from ...slots import time_boundaries_ns
from ...snapshot import Snapshot
from .. import availability
from ..table import Column, Section, keep
from ..units import at_most
from .userfault import waiting_now

COLUMNS = (
    Column("until"),
    Column("page faults", "faults"),
    Column("read faults", "reads"),
    Column("fault-around ran", "ran"),
    Column("runs"),
    Column("pages mapped", "pages"),
    Column("userfaults", "uffds"),
    Column("resolved"),
    Column("wait p99", "p99 wait"),
    Column("waiting"),
    Column("swap entries", "swap"),
    Column("missed"),
)
_NEEDS = {
    "read faults": ("read_fault", "count"),
    "fault-around ran": ("read_fault", "count"),
    "runs": ("fault_around_run", "count"),
    "pages mapped": ("fault_around_run", "sum"),
    "userfaults": ("userfault", "count"),
    "resolved": ("userfault", "count"),
    "wait p99": ("userfault", "count"),
    "waiting": ("userfault", "count"),
    "swap entries": ("swap_fault", "count"),
}


def dropped(plan: Plan) -> dict[str, str]:
    """Title of a column that the plan cannot fill → the phrase in its place."""
    answers = ((title, availability.figure(plan, *needs)) for title, needs in _NEEDS.items())
    return {title: phrase for title, phrase in answers if phrase}


def row(interval: Snapshot, since_ns: int) -> tuple[str, ...]:
    """One interval; ``since_ns``: CLOCK_MONOTONIC when the profile began."""
    resolved = interval.total("userfault", result="resolved")
    missed = interval.total("missed").count + sum(n or 0 for n in interval.recursion_misses.values())
    return (
        f"{(interval.monotonic_ns - since_ns) / 1e9:.2f}s",
        str(interval.total("page_fault").count),
        str(interval.total("read_fault").count),
        str(interval.total("read_fault", fault_around="ran").count),
        str(interval.total("fault_around_run").count),
        str(interval.total("fault_around_run").sum),
        str(interval.total("userfault_begun").count),
        str(resolved.count),
        at_most(resolved.quantile(0.99, time_boundaries_ns())),
        str(waiting_now(interval)),
        str(interval.total("swap_fault").count),
        str(missed),
    )


def began(profile: Profile) -> int:
    """CLOCK_MONOTONIC when the profile began, in ns."""
    return profile.total.monotonic_ns - profile.total.duration_ns


def timeline(profile: Profile) -> Section:
    """All intervals."""
    missing = dropped(profile.plan)
    rows = [row(interval, began(profile)) for interval in profile.intervals]
    columns, kept = keep(COLUMNS, rows, set(missing))
    return Section(
        "intervals",
        "Intervals",
        "counts of each interval, not running totals",
        columns,
        kept,
        tuple(missing.items()) if rows else (),
        empty="not asked for",
    )
