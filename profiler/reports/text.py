# SPDX-License-Identifier: GPL-2.0-only
"""The report for a terminal: about one screen, at most 100 columns, no colour."""

import textwrap

from ..hooks.planner import Plan
from ..profile import Profile
from ..snapshot import Snapshot
from . import sections
from .header import header
from .sections import intervals
from .table import Column, Section, keep
from .units import printable

WIDTH = 100
_CELL = 9


def render(profile: Profile, all_modes: bool = False) -> str:
    """The whole report, ended by a newline.

    :param all_modes: judge every uffd mode, not only those in which a fault was seen.
    """
    lines = [f"{name:<10} {value}" for name, value in header(profile)]
    blocks = ["\n".join(_wrapped(line, indent=11) for line in lines)]
    for section in sections.build(profile, all_modes):
        if section.key == "intervals" and not section.rows:
            continue
        block = "\n".join(_section(section))
        if section.within and not section.rows:
            blocks[-1] += "\n" + block
        else:
            blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def _wrapped(line: str, indent: int = 2) -> str:
    return textwrap.fill(
        printable(line), WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False, drop_whitespace=True
    )


def _section(section: Section) -> list[str]:
    title = section.title if section.within else section.title.upper()
    if section.absent:
        return [_wrapped(f"{title}: {section.absent}")]
    lines = []
    if section.rows:
        lines.append(_wrapped(f"{title}: {section.unit}" if section.unit else title))
        lines += table(section.columns, section.rows)
    else:
        lines.append(f"{title}: {section.empty}")
    lines += [_wrapped(f"  {figure}: {phrase}", 4) for figure, phrase in section.unavailable]
    lines += [_wrapped(f"  {note}", 4) for note in section.notes]
    return lines


def table(columns: tuple[Column, ...], rows: tuple[tuple[str, ...], ...]) -> list[str]:
    """Aligned lines; a last column of words is wrapped to what is left of the width."""
    cells = [tuple(column.narrow for column in columns), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    wraps = columns[-1].left
    fixed = widths[:-1] if wraps else widths
    gap = 2 if sum(fixed) + 2 * len(fixed) <= WIDTH else 1
    room = max(20, WIDTH - 2 - sum(fixed) - gap * len(fixed))
    lines = []
    for row in cells:
        aligned = [
            cell.ljust(width) if column.left else cell.rjust(width)
            for cell, width, column in zip(row, fixed, columns, strict=False)
        ]
        tail = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""] if wraps else []
        start = "  " + (" " * gap).join(aligned)
        lines.append((start + " " * gap + tail[0] if tail else start).rstrip())
        lines += [" " * (len(start) + gap) + more for more in tail[1:]]
    return lines


def interval_header(plan: Plan) -> str:
    """Titles above the rows of :func:`render_interval`."""
    columns, _ = keep(intervals.COLUMNS, [], set(intervals.dropped(plan)))
    return " ".join(column.narrow.rjust(_CELL) for column in columns)


def render_interval(interval: Snapshot, plan: Plan, since_ns: int) -> str:
    """One row for live printing.

    :param since_ns: CLOCK_MONOTONIC when the profile began.
    """
    rows = [intervals.row(interval, since_ns)]
    _, kept = keep(intervals.COLUMNS, rows, set(intervals.dropped(plan)))
    return " ".join(cell.rjust(_CELL) for cell in kept[0])
