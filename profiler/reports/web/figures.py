# SPDX-License-Identifier: GPL-2.0-only
"""Which drawings a profile gives."""

from collections.abc import Iterable, Sequence
from math import log2

from ...profile import Profile
from ...slots import MODES, REASONS
from ...snapshot import Slot, boundaries
from .. import availability
from ..sections.intervals import began
from ..sections.userfault import waiting_now
from ..table import Column, left
from ..units import at_most, duration, number
from .parts import cell, table
from .svg import Row, Series, strips

_GROUPS = (
    ("fault-around ran", "ran", ("ran",)),
    ("skipped", "skipped", ("skipped", "returned_early", "not_entered")),
    ("undetermined or not applicable", "other", ("undetermined", "not_applicable")),
)
_DECADES_NS = tuple(10**power for power in range(3, 11))
_MOST_TICKS = 6


def draw(profile: Profile, key: str) -> str:
    """The figure of a section, or nothing."""
    drawers = {
        "read-path": _latency,
        "fault-around": _pages,
        "userfaults": _waits,
        "intervals": _timeline,
    }
    return drawers[key](profile) if key in drawers else ""


def _values(slot: Slot) -> list[int]:
    """Events per bucket, and last those above them all."""
    return [*slot.buckets, max(0, slot.count - sum(slot.buckets))]


def _distribution(family: str, title: str, what: str, found: list[tuple[str, str, list[Series]]]) -> str:
    """Strips over the buckets that any row uses, and the same as a table."""
    used = [
        i
        for _, _, rows in found
        for i, column in enumerate(zip(*(s.values for s in rows), strict=True))
        if any(column)
    ]
    if not used:
        return ""
    first, last = min(used), max(used)
    limits = boundaries(family)
    pages = family == "fault_around_run"
    names = [_bucket(limits, i, pages) for i in range(first, last + 1)]
    cut = [
        Row(label, remark, tuple(Series(s.name, s.kind, s.values[first : last + 1]) for s in rows))
        for label, remark, rows in found
    ]
    ticks = _page_ticks(limits, first, last) if pages else _time_ticks(limits, first, last)
    describe = f"{what} by size, buckets on a logarithmic axis from {names[0]} to {names[-1]}"
    return strips(f"figure-{family}", title, describe, cut, names, ticks) + _as_table(title, cut, names)


def _bucket(limits: Sequence[int], index: int, pages: bool) -> str:
    if index == len(limits):
        return "more than " + (str(limits[-1]) if pages else duration(limits[-1]))
    return f"<={limits[index]}" if pages else at_most(limits[index])


def _time_ticks(limits: Sequence[int], first: int, last: int) -> list[tuple[float, str]]:
    """Powers of ten; a bucket ends at its boundary, and each is twice the one before."""
    width = last + 1 - first
    at = [((log2(ns / limits[0]) + 1 - first) / width, duration(ns)) for ns in _DECADES_NS]
    short = [(x, text.replace(".00", "").replace(".0", "")) for x, text in at if 0 <= x <= 1]
    return short or [(1.0, duration(limits[min(last, len(limits) - 1)]))]


def _page_ticks(limits: Sequence[int], first: int, last: int) -> list[tuple[float, str]]:
    shown = range(first, min(last, len(limits) - 1) + 1)
    step = -(-len(shown) // _MOST_TICKS)
    width = last + 1 - first
    return [((i - first + 0.5) / width, str(limits[i])) for i in shown if (i - first) % step == 0]


def _as_table(title: str, rows: Sequence[Row], names: Sequence[str]) -> str:
    """What the drawing shows, for those who cannot see it."""
    named = [(row.label, series) for row in rows for series in row.series if any(series.values)]
    columns = (left("up to"), *(Column(f"{label}, {series.name}") for label, series in named))
    body = tuple((name, *(str(s.values[i]) for _, s in named)) for i, name in enumerate(names))
    inner = table(columns, body, "", title)
    return f"<details><summary>The same as a table</summary>\n{inner}</details>\n"


def _summed(profile: Profile, family: str, **labels: str | Iterable[str]) -> Slot:
    return profile.total.total(family, **labels)


def _latency(profile: Profile) -> str:
    found = []
    limits = boundaries("read_fault")
    for mode in MODES:
        whole = _summed(profile, "read_fault", uffd_mode=mode, origin="user")
        if whole.count:
            groups = [
                (
                    name,
                    kind,
                    _summed(profile, "read_fault", uffd_mode=mode, origin="user", fault_around=labels),
                )
                for name, kind, labels in _GROUPS
            ]
            series = [Series(name, kind, tuple(_values(slot))) for name, kind, slot in groups]
            found.append((mode, _remark(whole, "faults", limits), series))
    title = "Own time of read faults raised in user mode, by uffd mode"
    return _distribution("read_fault", title, "Read faults", found)


def _remark(slot: Slot, what: str, limits: tuple[int, ...]) -> str:
    quantiles = (f"p{100 * q:.0f} {cell(at_most(slot.quantile(q, limits)))}" for q in (0.5, 0.99))
    return " &#183; ".join((f"{slot.count} {what}", *quantiles))


def _pages(profile: Profile) -> str:
    if availability.figure(profile.plan, "fault_around_run", "buckets"):
        return ""
    found = []
    for mode in MODES:
        slot = _summed(profile, "fault_around_run", uffd_mode=mode)
        if slot.count:
            remark = f"{slot.count} runs &#183; mean {number(slot.mean)} pages"
            found.append((mode, remark, [Series("runs", "ran", tuple(_values(slot)))]))
    return _distribution("fault_around_run", "Pages mapped by each run of fault-around", "Runs", found)


def _waits(profile: Profile) -> str:
    found = []
    for reason in REASONS:
        slot = _summed(profile, "userfault", reason=reason, result="resolved")
        if slot.count:
            remark = _remark(slot, "resolved", boundaries("userfault"))
            found.append((reason, remark, [Series("userfaults", "wait", tuple(_values(slot)))]))
    return _distribution("userfault", "Wait of resolved userfaults, by reason", "Userfaults", found)


def _timeline(profile: Profile) -> str:
    intervals, plan = profile.intervals, profile.plan
    if not intervals:
        return ""
    ends = [(interval.monotonic_ns - began(profile)) / 1e9 for interval in intervals]
    names = [f"until {end:.2f}s" for end in ends]
    rows: list[Row] = []

    def add(label: str, family: str, *series: Series) -> None:
        totals = [sum(values) for values in zip(*(s.values for s in series), strict=True)]
        if not availability.family(plan, family) and any(totals):
            rows.append(Row(label, f"at most {max(totals)} in one interval", series))

    groups = (
        Series(name, kind, tuple(i.total("read_fault", fault_around=labels).count for i in intervals))
        for name, kind, labels in _GROUPS
    )
    add("read faults", "read_fault", *groups)
    begun = tuple(i.total("userfault_begun").count for i in intervals)
    add("userfaults begun", "userfault", Series("userfaults", "wait", begun))
    still = tuple(waiting_now(i) for i in intervals)
    add("threads waiting at the end of the interval", "userfault", Series("waiting", "stuck", still))
    swapped = tuple(i.total("swap_fault").count for i in intervals)
    add("swap entries", "swap_fault", Series("swap entries", "other", swapped))
    step = -(-len(ends) // _MOST_TICKS)
    ticks = [((i + 1) / len(ends), f"{end:.1f}s") for i, end in enumerate(ends) if (i + 1) % step == 0]
    return strips("figure-intervals", "Over time", "One bar per interval", rows, names, ticks) if rows else ""
