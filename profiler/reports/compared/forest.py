# SPDX-License-Identifier: GPL-2.0-only
"""Intervals as a drawing: one line per figure, the ratio after / before on a logarithmic axis.

All positions are percentages of the width; shapes and colours are those of ``web/report.css``.
"""

from math import inf, log10

from ...comparison.result import Row
from ...kernel.clock import Clock
from ..web.parts import escape
from . import words

_HEIGHT = 22
_KINDS = {"more": "ran", "less": "skipped", "none shown": "other"}
_LEGEND = {"more": "more after", "less": "less after", "none shown": words.NONE_SHOWN}
_LEAST_SPAN = 0.05
"""Powers of ten on either side of 1 that the axis has at least."""
_MOST_SPAN = 3.0
_TICKS = (0.001, 0.01, 0.1, 0.2, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 2, 5, 10, 100, 1000)


def forest(key: str, title: str, rows: tuple[Row, ...], clock: Clock) -> str:
    """The figure, or nothing where there is no interval of a ratio.

    :param key: unique in the page, for ids.
    """
    drawn = [row for row in rows if row.ratio and row.ratio.estimate > 0 and row.ratio.limits]
    if not drawn:
        return ""
    span = _span(drawn)
    ticks = [tick for tick in _TICKS if abs(log10(tick)) <= span]
    while len(ticks) > 7:
        ticks = [tick for tick in ticks if tick == 1 or ticks.index(tick) % 2 == ticks.index(1) % 2]
    kinds = dict.fromkeys(row.shown for row in drawn)
    legend = "".join(
        f'<li><svg width="10" height="10" aria-hidden="true">'
        f'<rect class="{_KINDS[kind]}" width="10" height="10"/></svg> {escape(_LEGEND[kind])}</li>'
        for kind in kinds
        if kind in _KINDS
    )
    grid = "".join(
        f'<line class="{"base" if tick == 1 else "grid"}" x1="{_at(tick, span):.2f}%" '
        f'x2="{_at(tick, span):.2f}%" y1="0" y2="{_HEIGHT}"/>'
        for tick in ticks
    )
    strips = "".join(_strip(f"{key}-{n}", row, span, grid, clock) for n, row in enumerate(drawn))
    axis = "".join(
        f'<text x="{_at(tick, span):.2f}%" y="12" text-anchor="middle">x{tick:g}</text>' for tick in ticks
    )
    return (
        f"<figure><figcaption>{escape(title)}: after / before "
        "<span>bar: 95% interval, mark: estimate, line in the middle: no change</span></figcaption>\n"
        f'<ul class="legend">{legend}</ul>\n{strips}'
        f'<svg class="axis" width="100%" height="16" aria-hidden="true">{axis}</svg>\n</figure>\n'
    )


def _span(rows: list[Row]) -> float:
    """How far the axis reaches on either side of 1, in powers of ten; what lies beyond ends at its edge."""
    ends = [end for row in rows if row.ratio for end in (row.ratio.estimate, *(row.ratio.limits or ()))]
    far = max((abs(log10(end)) for end in ends if 0 < end < inf), default=_LEAST_SPAN)
    return min(_MOST_SPAN, max(_LEAST_SPAN, far * 1.1))


def _at(ratio: float, span: float) -> float:
    """Per cent of the width, kept off its edges."""
    if ratio <= 0 or ratio == inf:
        return 1.0 if ratio <= 0 else 99.0
    return min(99.0, max(1.0, 50 + 48 * log10(ratio) / span))


def _strip(name: str, row: Row, span: float, grid: str, clock: Clock) -> str:
    ratio = row.ratio
    if ratio is None or ratio.limits is None:
        return ""
    low, high, mark = (_at(value, span) for value in (*ratio.limits, ratio.estimate))
    kind = _KINDS.get(row.shown, "other")
    estimate, limits = words.ratio(ratio)
    label = words.title(row.figure, clock) + (f", {words.labels(row)}" if row.labels else "")
    title = f"{label}: after / before {estimate}, 95% {limits}: {_LEGEND.get(row.shown, 'not judged')}"
    middle = _HEIGHT / 2
    return (
        f'<div class="strip"><p><b>{escape(label)}</b> <span>{escape(f"{estimate} ({limits})")}</span></p>'
        f'<svg role="img" aria-labelledby="{name}-t" width="100%" height="{_HEIGHT}">'
        f'<title id="{name}-t">{escape(title)}</title>{grid}'
        f'<rect class="{kind}" x="{low:.2f}%" width="{max(0.2, high - low):.2f}%" y="{middle - 2}" '
        f'height="4"/><rect class="{kind}" x="{max(0.0, mark - 0.3):.2f}%" width="0.6%" '
        f'y="{middle - 7}" height="14"/></svg></div>\n'
    )
