# SPDX-License-Identifier: GPL-2.0-only
"""The comparison as one HTML page that needs nothing else: no network, no script."""

from dataclasses import replace

from ...comparison.resampling import RESAMPLES, SEED
from ...comparison.result import Comparison, Group
from ..web.document import document
from ..web.parts import escape, section
from . import words
from .forest import forest
from .report import Report
from .sections import family_sections, group_section, totals
from .summary import alone, changed, header, judged


def render(report: Report) -> str:
    """The whole page."""
    comparison = report.comparison
    first = changed(comparison)
    groups = {f"g{n}": group for n, group in enumerate((*totals(comparison), *comparison.cells))}
    families = {f"f{n}": group for n, group in enumerate(comparison.families)}
    titles = {key: group_section(comparison, group, key).title for key, group in groups.items()}
    titles |= {key: _family_title(group) for key, group in families.items()}
    body = _part(first.key, _notes(report) + section(first))
    body += "".join(_part(key, _group(comparison, group, key)) for key, group in groups.items())
    body += "".join(_part(key, _family(comparison, group, key)) for key, group in families.items())
    return document(
        "comparison",
        f"uffd-profiler: {comparison.before.name} and {comparison.after.name}",
        "uffd-profiler: a comparison",
        header(comparison),
        [(first.key, first.title), *titles.items()],
        body,
        f"; {RESAMPLES} resamples, seed {SEED}. None shown: {escape(words.NONE_SHOWN)}. "
        "Exact: the same in every run of a side. A dash means that there is none.",
    )


def _part(key: str, inner: str) -> str:
    return f'<section aria-labelledby="{key}">\n{inner}</section>\n'


def _notes(report: Report) -> str:
    conditions = "".join(f'<p class="policy">{escape(line)}</p>\n' for line in judged(report))
    said = (*report.comparison.notes, *alone(report.comparison))
    return conditions + "".join(f'<p class="note">{escape(note)}</p>\n' for note in said)


def _group(comparison: Comparison, group: Group, key: str) -> str:
    found = group_section(comparison, group, key, wide=True)
    return section(found, forest(f"{key}-plot", found.title, group.rows, comparison.before.clock))


def _family_title(group: Group) -> str:
    return group.title[0].upper() + group.title[1:]


def _family(comparison: Comparison, group: Group, key: str) -> str:
    """A heading, and under it a table for each figure of the family."""
    clock = comparison.before.clock
    parts = [f'<h2 id="{key}">{escape(_family_title(group))}</h2>\n']
    figures = list(dict.fromkeys(row.figure for row in group.rows))
    for figure, found in zip(figures, family_sections(comparison, group, key, wide=True), strict=True):
        rows = tuple(row for row in group.rows if row.figure == figure)
        drawn = forest(f"{found.key}-plot", found.title, rows, clock)
        parts.append(section(replace(found, within=key), drawn))
    return "".join(parts)
