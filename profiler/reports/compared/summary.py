# SPDX-License-Identifier: GPL-2.0-only
"""What is read first: what was compared, what changed, and what became of the conditions."""

from ...comparison.result import Comparison, Group, Row
from ...kernel.clock import Clock
from ..table import Column, Section, left
from . import words
from .report import Report
from .sections import idle


def header(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and value of each line above the tables."""
    found = []
    for name, side in (("before", comparison.before), ("after", comparison.after)):
        runs = "1 run" if side.runs == 1 else f"{side.runs} runs"
        of = f" of {len(side.cells)} workloads" if len(side.cells) > 1 else ""
        size = "unknown" if side.fault_around_bytes is None else str(side.fault_around_bytes)
        found.append((name, f"{side.name}: kernel {side.release}, fault_around_bytes {size}, {runs}{of}"))
    if comparison.before.argv:
        found.append(("command", " ".join(comparison.before.argv)))
    found.append(("times", f"in {words.UNITS[comparison.before.clock]}, intervals at 95%"))
    return found


def changed(comparison: Comparison) -> Section:
    """What changed, over all workloads and in each mode: what is read first."""
    clock = comparison.before.clock
    rows, none, unknown = [], [], []
    for group in _summed(comparison):
        open_rows = [row for row in group.rows if not idle(row)]
        rows += [(_where(group), *_one(row, clock)) for row in open_rows if row.shown in ("more", "less")]
        none += _names(group, open_rows, "none shown", clock)
        unknown += _names(group, open_rows, "unknown", clock)
    notes = []
    if none:
        notes.append(f"{_sentence(words.NONE_SHOWN)}: {'; '.join(none)}.")
    if unknown:
        notes.append(f"Cannot tell: {'; '.join(unknown)}.")
    if comparison.cells:
        notes.append(_count(comparison))
    return Section(
        "changed",
        "What changed",
        "",
        (
            left("mode"),
            left("figure"),
            Column("before"),
            Column("after"),
            Column("ratio"),
            Column("95% of it"),
        ),
        tuple(rows),
        notes=tuple(notes),
        empty=words.NONE_SHOWN if none else "cannot tell" if unknown else "nothing occurred on either side",
    )


def _summed(comparison: Comparison) -> tuple[Group, ...]:
    return comparison.totals[:1] if len(comparison.totals) == 2 else comparison.totals


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _where(group: Group) -> str:
    return group.mode or "all"


def _one(row: Row, clock: Clock) -> tuple[str, ...]:
    figure = row.figure
    values = (words.amount(value, figure.unit, clock) for value in (row.before, row.after))
    return (words.title(figure, clock), *values, *words.ratio(row.ratio))


def _names(group: Group, rows: list[Row], shown: str, clock: Clock) -> list[str]:
    found = [words.title(row.figure, clock) for row in rows if row.shown == shown]
    if len(found) == len(rows) > 1:
        return [f"{_where(group)}: all {len(rows)} figures"]
    return [f"{_where(group)}: {', '.join(found)}"] if found else []


def _count(comparison: Comparison) -> str:
    rows = [row for group in comparison.cells for row in group.rows if not idle(row)]
    told = [
        sum(row.shown in kinds for row in rows) for kinds in (("more", "less"), ("none shown",), ("unknown",))
    ]
    return (
        f"Of {len(rows)} figures of single workloads, {told[0]} changed, of {told[1]} these samples can show "
        f"no difference, {told[2]} cannot be told. Of intervals at 95%, one in 20 misses by chance."
    )


def alone(comparison: Comparison) -> list[str]:
    """Workloads that only one side has."""
    found = []
    for where, cells in (("before", comparison.only_before), ("after", comparison.only_after)):
        for cell in cells:
            options = ", ".join(f"{name} {value}" for name, value in cell if value not in (None, False))
            found.append(f"Not comparable, run only {where}: {options}.")
    return found


def judged(report: Report) -> list[str]:
    """One sentence for each condition."""
    return [f"{j.outcome}: {j.condition.text.strip()} ({j.why})" for j in report.judgements]
