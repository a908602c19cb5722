# SPDX-License-Identifier: GPL-2.0-only
"""The read path: page faults, read faults of the page cache, runs of fault-around."""

from ...profile import Profile
from ...slots import ORIGINS, OUTCOMES
from ...snapshot import Slot, boundaries
from .. import availability
from ..occurred import occurred
from ..table import Column, Section, keep, left
from ..units import NOTHING, duration, number, times, words

_TIMES = (Column("mean"), Column("p50"), Column("p99"), Column("max"), Column("waited"))
_ORIGIN_WORDS = {
    "user": "in user mode",
    "kernel": "in kernel mode",
    "gup": "by the kernel itself (get_user_pages)",
}


def _figures(slot: Slot) -> tuple[str, ...]:
    return (str(slot.count), *times(slot), duration(slot.wait) if slot.wait else NOTHING)


def page_faults(profile: Profile) -> Section:
    """All faults that completed, by who raised them."""
    rows, missing = [], []
    for origin in ORIGINS:
        phrase = availability.value(profile.plan, "page_fault", "origin", origin)
        if phrase:
            missing.append((f"raised {_ORIGIN_WORDS[origin]}", phrase))
        else:
            rows.append((_ORIGIN_WORDS[origin], *_figures(profile.total.total("page_fault", origin=origin))))
    return Section(
        "page-faults",
        "Page faults",
        "completed, on any memory; own time, the wait for userspace apart",
        (left("raised"), Column("count"), *_TIMES),
        tuple(rows),
        tuple(missing),
    )


def read_path(profile: Profile, origin: str) -> Section:
    """Read faults on memory of the page cache raised by one origin."""
    key = "read-path" if origin == "user" else f"read-path-{origin}"
    title = "Read path" if origin == "user" else f"Read faults raised {_ORIGIN_WORDS[origin]}"
    within = "" if origin == "user" else "read-path"
    absent = availability.family(profile.plan, "read_fault") or availability.value(
        profile.plan, "read_fault", "origin", origin
    )
    if absent:
        return Section(key, title, within=within, absent=absent)
    rows = [
        (mode, backing, words(outcome), *_figures(slot))
        for (by, mode, backing, outcome), slot in occurred(profile.total, "read_fault")
        if by == origin
    ]
    missing: tuple[tuple[str, str], ...] = ()
    if rows and origin == "user":
        phrases: dict[str, list[str]] = {}
        for outcome in OUTCOMES:
            phrase = availability.value(profile.plan, "read_fault", "fault_around", outcome)
            if phrase and outcome != "skipped":
                phrases.setdefault(phrase, []).append(repr(words(outcome)))
        missing = tuple((" and ".join(names), phrase) for phrase, names in phrases.items())
    return Section(
        key,
        title,
        "" if within else "read faults on shmem and files, by what fault-around did; own time",
        (left("uffd mode"), left("backing"), left("fault-around"), Column("count"), *_TIMES),
        tuple(rows),
        missing,
        within=within,
        empty="no read fault on shmem or a file" if origin == "user" else "none",
    )


def _page_buckets(slot: Slot) -> str:
    """``0:3 1:2 <=16:284``; a boundary that spans one value is that value."""
    parts, below = [], -1
    for boundary, events in zip(boundaries("fault_around_run"), slot.buckets, strict=True):
        if events:
            parts.append(f"{boundary}:{events}" if boundary == below + 1 else f"<={boundary}:{events}")
        below = boundary
    above = slot.count - sum(slot.buckets)
    if above > 0:
        parts.append(f">{below}:{above}")
    return " ".join(parts) or NOTHING


def fault_around(profile: Profile) -> Section:
    """Calls of ->map_pages and the pages that each mapped."""
    plan = profile.plan
    absent = availability.family(plan, "fault_around_run")
    pages = availability.figure(plan, "fault_around_run", "sum")
    columns = (
        left("uffd mode"),
        left("backing"),
        Column("runs"),
        Column("mapped nothing"),
        Column("pages"),
        Column("pages per run", "mean"),
        Column("max"),
        left("runs by pages mapped"),
    )
    rows = [
        (
            mode,
            backing,
            str(slot.count),
            str(slot.buckets[0]),
            str(slot.sum),
            number(slot.mean),
            str(slot.max),
            _page_buckets(slot),
        )
        for (mode, backing), slot in occurred(profile.total, "fault_around_run")
    ]
    figures = {column.title for column in columns[3:]}
    shown, kept = keep(columns, rows, figures if pages else set())
    missing = (("pages mapped, runs that mapped nothing", pages),) if pages and not absent else ()
    return Section(
        "fault-around",
        "Fault-around",
        "runs: calls of ->map_pages",
        shown,
        kept,
        missing,
        availability.notes(plan, "fault_around_run"),
        empty="no run",
        absent=absent,
    )
