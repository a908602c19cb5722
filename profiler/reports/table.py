# SPDX-License-Identifier: GPL-2.0-only
"""A section of a report: one table of words, with what is missing from it and what must be known."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """``short``: the title where space is scarce. ``left``: words, not a number."""

    title: str
    short: str = ""
    left: bool = False
    narrow: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "narrow", self.short or self.title)


def left(title: str) -> Column:
    """A column of words."""
    return Column(title, left=True)


@dataclass(frozen=True)
class Section:
    """``unit``: what one event of the table is. ``empty``: what no row means.

    ``unavailable``: figure → the phrase in its place (:mod:`~profiler.reports.availability`).
    ``within``: key of the section that this one refines.
    """

    key: str
    title: str
    unit: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    unavailable: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    empty: str = "none"
    within: str = ""
    absent: str | None = field(default=None)
    """The phrase in place of everything."""


def keep(
    columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]], dropped: set[str]
) -> tuple[tuple[Column, ...], tuple[tuple[str, ...], ...]]:
    """Columns and rows without the columns whose figures are not available."""
    kept = [index for index, column in enumerate(columns) if column.title not in dropped]
    return (
        tuple(columns[index] for index in kept),
        tuple(tuple(row[index] for index in kept) for row in rows),
    )
