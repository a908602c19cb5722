# SPDX-License-Identifier: GPL-2.0-only
"""Userfaults by reason and backing, and the threads that wait now."""

from ...profile import Profile
from ...slots import BACKINGS, REASONS, RESULTS
from ...snapshot import Slot, Snapshot, Waiter
from .. import availability
from ..table import Column, Section, keep, left
from ..units import duration, times

_COLUMNS = (
    left("reason"),
    left("backing"),
    Column("begun"),
    Column("resolved"),
    Column("sigbus"),
    Column("nowait"),
    Column("interrupted", "intr"),
    Column("re-waits"),
    Column("mean wait", "mean"),
    Column("p50"),
    Column("p99"),
    Column("max"),
)


def waiting_now(snapshot: Snapshot) -> int:
    """Threads inside handle_userfault now: the table, or more when the table was full."""
    return max(len(snapshot.waiting), snapshot.waiting_now)


def re_waits(snapshot: Snapshot, **labels: str) -> int:
    """Waits beyond the first of each userfault.

    Read while they grow, the two counts may be off by one: never below 0.
    """
    begun = snapshot.total("userfault_begun", **labels).count
    return max(0, snapshot.total("userfault_wait_begun", **labels).count - begun)


def userfaults(profile: Profile) -> Section:
    """One row per reason and backing that occurred."""
    total, plan = profile.total, profile.plan
    dropped = {r: availability.value(plan, "userfault", "result", r) for r in RESULTS}
    rows = []
    for reason in REASONS:
        for backing in BACKINGS:
            results: dict[str, Slot] = {
                r: total.total("userfault", reason=reason, backing=backing, result=r) for r in RESULTS
            }
            begun = total.total("userfault_begun", reason=reason, backing=backing).count
            again = re_waits(total, reason=reason, backing=backing)
            if not (begun or again or any(slot.count for slot in results.values())):
                continue
            counts = (results[r].count for r in ("resolved", "sigbus", "nowait", "interrupted"))
            rows.append(
                (reason, backing, str(begun), *map(str, counts), str(again), *times(results["resolved"]))
            )
    columns, kept = keep(_COLUMNS, rows, {result for result, phrase in dropped.items() if phrase})
    absent = availability.family(plan, "userfault")
    phrases: dict[str, list[str]] = {}
    for result, phrase in dropped.items():
        if phrase and not absent:
            phrases.setdefault(phrase, []).append(repr(result))
    missing = tuple((" and ".join(names), phrase) for phrase, names in phrases.items())
    notes = () if absent or not rows else availability.notes(plan, "userfault")
    return Section(
        "userfaults",
        "Userfaults",
        "faults that waited for userspace; the times are those of the resolved ones",
        columns,
        kept,
        missing,
        notes,
        absent=absent,
    )


def _waiter(waiter: Waiter, now: int) -> tuple[str, ...]:
    age = duration(max(0, now - waiter.start_ns))
    return (f"{waiter.tgid}/{waiter.tid}", waiter.reason, waiter.backing, f"{waiter.address:#x}", age)


def waiting(profile: Profile) -> Section:
    """The table of waiting threads at the end of the profile, oldest first."""
    total = profile.total
    rows = [_waiter(waiter, total.monotonic_ns) for waiter in total.waiting]
    count = waiting_now(total)
    threads = "1 thread" if count == 1 else f"{count} threads"
    notes = [f"{threads} in all, the oldest for {rows[0][-1]}."] if rows else []
    if count > len(rows):
        notes.append(f"{count - len(rows)} of them are not in the table.")
    return Section(
        "waiting",
        "Waiting now",
        "inside handle_userfault when the profile ended",
        (left("pid/tid"), left("reason"), left("backing"), left("address"), Column("for")),
        tuple(rows),
        notes=tuple(notes),
        empty="none" if not count else f"{threads}",
        within="userfaults",
        absent=availability.family(profile.plan, "userfault"),
    )
