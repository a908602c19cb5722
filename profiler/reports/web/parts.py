# SPDX-License-Identifier: GPL-2.0-only
"""Sections, tables and cards as HTML. Every foreign word goes through :func:`escape`."""

import re
from html import escape as _escape

from ..table import Column, Section
from ..units import printable

_DURATION = re.compile(r"(<=)?(\d[\d.]*)(ns|us|ms|s)")
_SIGNS = {"ran": "&#9654;", "skipped": "&#187;", "not exercised": "?"}


def escape(text: str) -> str:
    """Safe in text and in attributes; what cannot be printed is written as an escape."""
    return _escape(printable(text))


def prose(text: str) -> str:
    """Words in which the arrow of ``->map_pages`` stays with its name."""
    return escape(text).replace("-&gt;map_pages", '<code class="whole">-&gt;map_pages</code>')


def cell(text: str) -> str:
    """A cell: durations with a space and a proper sign, hyphens as dashes."""
    if text == "-":
        return "&#8211;"
    found = _DURATION.fullmatch(text)
    if not found:
        return escape(text)
    limit, value, unit = found.groups()
    return ("&#8804;&#8239;" if limit else "") + f"{value}&#8239;{unit.replace('us', '&#181;s')}"


def table(columns: tuple[Column, ...], rows: tuple[tuple[str, ...], ...], caption: str, name: str) -> str:
    """A table that scrolls sideways, by keyboard too, where it does not fit.

    :param caption: may be empty where a heading says it all.
    :param name: what a screen reader calls it.
    """
    titles = "".join(
        f'<th scope="col"{"" if column.left else " class=n"}>{escape(column.title)}</th>'
        for column in columns
    )
    body = "".join(f"<tr>{_row(columns, row)}</tr>\n" for row in rows)
    title = f"<caption><span>{prose(caption)}</span></caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table>{title}<thead><tr>{titles}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def _row(columns: tuple[Column, ...], row: tuple[str, ...]) -> str:
    parts = [f'<th scope="row">{cell(row[0])}</th>']
    for index, (column, text) in enumerate(zip(columns, row, strict=True)):
        kind = " class=n" if not column.left else " class=w" if index == len(row) - 1 else ""
        parts += [f"<td{kind}>{cell(text)}</td>"] if index else []
    return "".join(parts)


def section(found: Section, figure: str = "") -> str:
    """One section; a section within another is a heading lower."""
    level = 3 if found.within else 2
    parts = [f'<h{level} id="{found.key}">{escape(found.title)}</h{level}>\n']
    if found.absent:
        parts.append(f'<p class="na">{escape(found.absent)}</p>\n')
    else:
        parts.append(figure)
        if found.rows:
            parts.append(table(found.columns, found.rows, found.unit, found.title))
        else:
            parts.append(f'<p class="none">{escape(found.empty)}</p>\n')
        parts += [missing(name, phrase) for name, phrase in found.unavailable]
        parts += [f'<p class="note">{escape(note)}</p>\n' for note in found.notes]
    return "".join(parts)


def missing(name: str, phrase: str) -> str:
    """A figure and the phrase in its place."""
    return f'<p class="na"><b>{escape(name)}</b> {escape(phrase)}</p>\n'


def cards(found: Section) -> str:
    """The verdict: a card per uffd mode, told apart by word and sign, not by colour alone."""
    items = "".join(
        f'<li class="card {escape(answer).replace(" ", "-")}"><h3><code>{escape(mode)}</code></h3>'
        f'<p class="answer"><span aria-hidden="true">{_SIGNS.get(answer, "")}</span> {escape(answer)}</p>'
        f"<p>{prose(reason)}</p></li>\n"
        for mode, answer, reason in found.rows
    )
    notes = "".join(f'<p class="policy">{escape(note)}</p>\n' for note in found.notes)
    return (
        f'<h2 id="{found.key}">{escape(found.title)}: {escape(found.unit)}</h2>\n{notes}'
        f'<ul class="cards">\n{items}</ul>\n'
    )
