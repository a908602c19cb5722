# SPDX-License-Identifier: GPL-2.0-only
"""The comparison for a terminal: what changed first, then a table for each selection; at most 100 columns."""

import textwrap
from collections.abc import Iterator

from ..table import Section
from ..text import WIDTH, table
from ..units import printable
from . import words
from .report import Report
from .sections import family_sections, group_section, totals
from .summary import alone, changed, header, judged

_LEGEND = f"none shown: {words.NONE_SHOWN}. exact: the same in every run of a side."


def render(report: Report, all_modes: bool = False) -> str:
    """The whole report, ended by a newline.

    :param all_modes: of each workload also the modes that it was not made for.
    """
    comparison = report.comparison
    blocks = ["\n".join(_wrapped(f"{name:<10} {value}", 11) for name, value in header(comparison))]
    said = [*comparison.notes, *alone(comparison)]
    if said:
        blocks.append("\n".join(_wrapped(f"note: {note}", 6) for note in said))
    if report.judgements:
        blocks.append("\n".join(_wrapped(line) for line in judged(report)))
    blocks.append("\n".join(_section(changed(comparison))))
    own = [group for group in comparison.cells if group.own or all_modes]
    found = [group_section(comparison, group, "") for group in (*totals(comparison), *own)]
    found += [section for group in comparison.families for section in family_sections(comparison, group, "")]
    blocks += ["\n".join(_section(section)) for section in found if section.rows or section.unavailable]
    others = [group.title for group in comparison.cells if group not in own]
    if others:
        blocks.append(_wrapped(f"Also seen, and printed with --all-modes: {', '.join(others)}."))
    if silent := [section.title for section in found if not section.rows and not section.unavailable]:
        blocks.append(_wrapped(f"None on either side: {'; '.join(silent)}."))
    blocks.append(_wrapped(_LEGEND))
    return "\n\n".join(blocks) + "\n"


def _wrapped(line: str, indent: int = 2) -> str:
    return textwrap.fill(printable(line), WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _section(section: Section) -> Iterator[str]:
    title = section.title.upper()
    if section.rows:
        yield _wrapped(f"{title}: {section.unit}" if section.unit else title)
        yield from table(section.columns, section.rows)
    else:
        yield _wrapped(f"{title}: {section.empty}")
    for names, phrase in section.unavailable:
        yield _wrapped(f"  {names}: {phrase}", 4)
    for note in section.notes:
        yield _wrapped(f"  {note}", 4)
