# SPDX-License-Identifier: GPL-2.0-only
"""The comparison as tables of words: the same rows for the terminal and for the page."""

from ...comparison.result import Comparison, Group, Row
from ...kernel.clock import Clock
from ...slots import FAMILIES
from ..table import Column, Section, keep, left
from ..units import NOTHING
from . import words

_CHANGE = Column("change")
_FIGURES = (
    Column("before"),
    Column("after"),
    _CHANGE,
    Column("95% of the change", "95% of it"),
    Column("after / before", "ratio"),
    Column("95% of the ratio", "95% of it"),
)
_MORE = (Column("p"), left("by"))


def idle(row: Row) -> bool:
    """Nothing of it occurred on either side, as far as can be told."""
    return row.units != (0, 0) and not row.before and not row.after and not _lost(row)


def _lost(row: Row) -> bool:
    return bool(row.why_not and "lost" in row.why_not)


def group_section(comparison: Comparison, group: Group, key: str, wide: bool = False) -> Section:
    """The table of one workload or mode.

    :param wide: with the p-value and how each interval was made.
    """
    clock = comparison.before.clock
    columns = (left("figure"), *_FIGURES, *(_MORE if wide else ()))
    rows = [row for row in group.rows if _told(row)]
    none = [words.title(row.figure, clock) for row in group.rows if idle(row)]
    return Section(
        key,
        _title(group),
        words.UNITS["emulated"] if clock == "emulated" else "",
        columns,
        tuple((words.title(row.figure, clock), *_cells(row, clock, wide)) for row in rows),
        _missing(group.rows, clock),
        (f"None on either side: {', '.join(none)}.",) if none and rows else (),
        empty="none on either side" if none else "not available",
    )


def family_sections(comparison: Comparison, group: Group, key: str, wide: bool = False) -> list[Section]:
    """The tables of a family: one for each of its figures, a row for each label set."""
    clock = comparison.before.clock
    axes = tuple(axis for axis, _ in FAMILIES[group.family or ""].axes)
    dropped = set() if wide else {_CHANGE.title}
    found = []
    for figure in dict.fromkeys(row.figure for row in group.rows):
        rows = [row for row in group.rows if row.figure == figure and _told(row)]
        cells = [(*(row.labels.get(axis, "all") for axis in axes), *_cells(row, clock, wide)) for row in rows]
        titles = (*(left(axis.replace("_", " ")) for axis in axes), *_FIGURES, *(_MORE if wide else ()))
        columns, kept = keep(titles, cells, dropped)
        section = Section(
            f"{key}-{figure.name}",
            words.title(figure, clock)[0].upper() + words.title(figure, clock)[1:],
            words.UNITS["emulated"] if clock == "emulated" and figure.unit == "time" else "",
            columns,
            kept,
            _missing(tuple(row for row in group.rows if row.figure == figure), clock),
            empty="none on either side"
            if any(row.units != (0, 0) for row in group.rows)
            else "not available",
        )
        found.append(section)
    return found


def _told(row: Row) -> bool:
    return row.before is not None and row.after is not None and not idle(row)


def _missing(rows: tuple[Row, ...], clock: Clock) -> tuple[tuple[str, str], ...]:
    """Figures, or their intervals, with the phrase in their place."""
    phrases: dict[str, list[str]] = {}
    for row in rows:
        if row.why_not and not idle(row):
            name = words.title(row.figure, clock) + (f" ({words.labels(row)})" if row.labels else "")
            phrases.setdefault(row.why_not, []).append(f"interval of {name}" if _told(row) else name)
    return tuple((_list(names), phrase) for phrase, names in phrases.items())


def totals(comparison: Comparison) -> tuple[Group, ...]:
    """Without those that repeat another table: the only mode, and a mode that one workload has to itself."""
    if len(comparison.totals) == 2 and len(comparison.cells) != 1:
        return comparison.totals[:1]
    modes = [group.mode for group in comparison.cells if group.own]
    found = tuple(group for group in comparison.totals[1:] if modes.count(group.mode) != 1)
    return found if len(modes) == 1 else (*comparison.totals[:1], *found)


def _title(group: Group) -> str:
    if group.cell is not None or group.mode is None:
        return group.title[0].upper() + group.title[1:]
    return group.title if " " in group.title else f"Mode {group.title}"


def _list(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _cells(row: Row, clock: Clock, wide: bool) -> tuple[str, ...]:
    figure = row.figure
    values = tuple(words.amount(value, figure.unit, clock) for value in (row.before, row.after))
    by, limits = words.ratio(row.ratio)
    if row.shown == "none shown":
        by = "none shown"
    cells = (*values, *words.change(row.difference, figure.unit, clock), by, limits)
    if not wide:
        return cells
    p_value = NOTHING if row.p_value is None else f"{row.p_value:.3g}"
    units = f"{row.method}, {row.units[0]} and {row.units[1]} {'pairs' if 'paired' in row.method else 'runs'}"
    return (*cells, p_value, NOTHING if row.method == "none" else units)
