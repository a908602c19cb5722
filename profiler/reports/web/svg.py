# SPDX-License-Identifier: GPL-2.0-only
"""Drawings. All positions are percentages of the width, so that words keep their size on any screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from .parts import cell, escape

_HEIGHT = 56
_LEAST = 2.0
"""Height in px that one event has at least: a rare event must be seen."""


@dataclass(frozen=True)
class Series:
    """``kind``: a class of the style sheet, its colour. ``values``: one per bar, stacked."""

    name: str
    kind: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One strip of bars, under its own heading."""

    label: str
    remark: str
    series: tuple[Series, ...]


def _bars(row: Row, names: Sequence[str]) -> str:
    columns = list(zip(*(series.values for series in row.series), strict=True))
    highest = max((sum(column) for column in columns), default=0) or 1
    width = 100 / max(1, len(columns))
    drawn = []
    for index, column in enumerate(columns):
        floor = float(_HEIGHT)
        words = [f"{s.name} {v}" for s, v in zip(row.series, column, strict=True) if v]
        rects = []
        for series, value in zip(row.series, column, strict=True):
            if value:
                height = max(_LEAST, value / highest * (_HEIGHT - 2))
                floor = max(0.0, floor - height)
                rects.append(
                    f'<rect class="{series.kind}" x="{(index + 0.06) * width:.3f}%" '
                    f'width="{width * 0.88:.3f}%" y="{floor:.2f}" height="{height:.2f}"/>'
                )
        if rects:
            title = escape(f"{names[index]}: {', '.join(words)}")
            drawn.append(f"<g><title>{title}</title>{''.join(rects)}</g>")
    return "".join(drawn)


def strips(
    key: str,
    title: str,
    describe: str,
    rows: Sequence[Row],
    names: Sequence[str],
    ticks: Sequence[tuple[float, str]],
) -> str:
    """Rows of bars over one axis.

    :param key: unique in the page, for ids.
    :param names: of each bar, for its tooltip.
    :param ticks: position from 0 to 1, and its words.
    """
    kinds = {series.kind: series.name for row in rows for series in row.series if any(series.values)}
    legend = "".join(
        f'<li><svg width="10" height="10" aria-hidden="true"><rect class="{kind}" width="10" height="10"/>'
        f"</svg> {escape(name)}</li>"
        for kind, name in kinds.items()
    )
    scale = "bar height: events, each row to its own scale"
    parts = [f"<figure><figcaption>{escape(title)} <span>{scale}</span></figcaption>\n"]
    if len(kinds) > 1:
        parts.append(f'<ul class="legend">{legend}</ul>\n')
    lines = "".join(
        f'<line class="grid" x1="{at:.2%}" x2="{at:.2%}" y1="0" y2="{_HEIGHT}"/>' for at, _ in ticks
    )
    for number, row in enumerate(rows):
        name = f"{key}-{number}"
        parts.append(
            f'<div class="strip"><p><b>{escape(row.label)}</b> <span>{row.remark}</span></p>'
            f'<svg role="img" aria-labelledby="{name}-t {name}-d" width="100%" height="{_HEIGHT}">'
            f'<title id="{name}-t">{escape(title)}: {escape(row.label)}</title>'
            f'<desc id="{name}-d">{escape(describe)}</desc>{lines}{_bars(row, names)}'
            f'<line class="base" x1="0" x2="100%" y1="{_HEIGHT}" y2="{_HEIGHT}"/></svg></div>\n'
        )
    parts.append(_axis(ticks) + "</figure>\n")
    return "".join(parts)


def _axis(ticks: Sequence[tuple[float, str]]) -> str:
    words = "".join(
        f'<text x="{at:.2%}" y="12" text-anchor="{_anchor(at)}">{cell(text)}</text>' for at, text in ticks
    )
    return f'<svg class="axis" width="100%" height="16" aria-hidden="true">{words}</svg>\n'


def _anchor(at: float) -> str:
    return "start" if at < 0.04 else "end" if at > 0.96 else "middle"
