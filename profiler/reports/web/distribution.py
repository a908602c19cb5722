# SPDX-License-Identifier: GPL-2.0-only
"""The distribution of a family: strips of bars over its buckets, and the same as a table."""

from collections.abc import Sequence
from math import log2

from ...slots import FAMILIES
from ...snapshot import Slot, boundaries
from ..table import Column, left
from ..units import at_most, duration
from .parts import cell, table
from .svg import Row, Series, strips

MOST_TICKS = 6
_DECADES_NS = tuple(10**power for power in range(3, 11))


def values_of(slot: Slot) -> tuple[int, ...]:
    """Events per bucket, and last those above them all."""
    return (*slot.buckets, max(0, slot.count - sum(slot.buckets)))


def distribution(family: str, title: str, what: str, found: list[tuple[str, str, list[Series]]]) -> str:
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
    pages = FAMILIES[family].pages
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
    step = -(-len(shown) // MOST_TICKS)
    width = last + 1 - first
    return [((i - first + 0.5) / width, str(limits[i])) for i in shown if (i - first) % step == 0]


def _as_table(title: str, rows: Sequence[Row], names: Sequence[str]) -> str:
    """What the drawing shows, for those who cannot see it."""
    named = [(row.label, series) for row in rows for series in row.series if any(series.values)]
    columns = (left("up to"), *(Column(f"{label}, {series.name}") for label, series in named))
    body = tuple((name, *(str(s.values[i]) for _, s in named)) for i, name in enumerate(names))
    inner = table(columns, body, "", title)
    return f"<details><summary>The same as a table</summary>\n{inner}</details>\n"


def remark(slot: Slot, what: str, limits: tuple[int, ...]) -> str:
    """Beside a row's name: how many, p50 and p99; HTML.

    :param what: the events, in the plural.
    """
    quantiles = (f"p{100 * q:.0f} {cell(at_most(slot.quantile(q, limits)))}" for q in (0.5, 0.99))
    return " &#183; ".join((f"{slot.count} {what}", *quantiles))
