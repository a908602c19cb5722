# SPDX-License-Identifier: GPL-2.0-only
"""``--fail-if``: what must not have happened, judged by intervals.

``FIGURE[@WHICH] OP VALUE``. WHICH is a uffd mode, or the whole label set of a row of a family
(``swap_faults@kind=swap_slot,uffd_wp=no,result=minor``); without it, all together. OP is ``>``, ``>=``, ``<``
or ``<=``.
VALUE is a change in percent (``+10%``), a change (``+100``, ``-5``), or without a sign a plain value of what
is after (``0``).
"""

import re
from dataclasses import dataclass
from math import inf
from typing import Literal

from ..errors import UserError
from ..slots import FAMILIES, MODES
from .distributions import Limits
from .figures import FIGURES
from .labelled import LABELLED, NAMES
from .result import Comparison, Row

Measure = Literal["percent", "change", "value"]
Outcome = Literal["failed", "passed", "cannot tell"]

_EXPRESSION = re.compile(
    r"\s*(?P<figure>[^@<>=\s]+)\s*(?:@\s*(?P<which>[^<>]*?[^<>=\s])\s*)?(?P<op>[<>]=?)\s*"
    r"(?P<sign>[+-]?)(?P<number>\d{1,18}(?:\.\d{1,18})?)\s*(?P<percent>%?)\s*",
    re.ASCII,
)
_OF_FAMILY = {figure.name: family for family, figures in LABELLED.items() for figure in figures}
_OF_MODES = {figure.name for figure in FIGURES}


@dataclass(frozen=True)
class Condition:
    """One expression. ``which``: a mode, a label set, or ``None`` for all together."""

    text: str
    figure: str
    which: str | tuple[tuple[str, str], ...] | None
    op: str
    value: float
    measure: Measure


@dataclass(frozen=True)
class Judgement:
    """``why``: one sentence with the interval that decided, or with what keeps it open."""

    condition: Condition
    outcome: Outcome
    why: str


def parse(text: str) -> Condition:
    """One expression.

    :raises UserError: it is none; the sentence names what would be.
    """
    found = _EXPRESSION.fullmatch(text)
    if not found:
        raise UserError(
            f"{text!r:.120} is no condition: write FIGURE[@MODE], one of > >= < <=, and +10%, +100 or 0, "
            "such as 'read_faults_per_mib@minor>+10%'."
        )
    figure, sign, percent = found["figure"], found["sign"], found["percent"]
    if figure not in NAMES:
        raise UserError(f"{figure!r:.60} in {text!r:.120} is no figure: give one of {', '.join(NAMES)}.")
    if percent and not sign:
        raise UserError(f"{text!r:.120} lacks a sign: a change in percent is +10% or -10%.")
    measure: Measure = "percent" if percent else "change" if sign else "value"
    return Condition(text, figure, _which(text, figure, found["which"]), found["op"],
                     float(sign + found["number"]), measure)  # fmt: skip


def _which(text: str, figure: str, which: str | None) -> str | tuple[tuple[str, str], ...] | None:
    if which is None:
        return None
    if "=" not in which:
        if which in MODES and figure in _OF_MODES:
            return which
        known = f"one of the modes {', '.join(MODES)}" if figure in _OF_MODES else "labels"
        raise UserError(f"{which!r:.60} in {text!r:.120} is not what {figure} is divided by: give {known}.")
    axes = dict(FAMILIES[_OF_FAMILY[figure]].axes) if figure in _OF_FAMILY else {}
    given = dict(part.strip().partition("=")[::2] for part in which.split(","))
    if given.keys() != axes.keys() or any(given[axis] not in values for axis, values in axes.items()):
        if not axes:
            raise UserError(f"{figure} in {text!r:.120} has no labels: give a mode, or nothing.")
        labels = "; ".join(f"{axis}= one of {', '.join(values)}" for axis, values in axes.items())
        raise UserError(f"{which!r:.60} in {text!r:.120} is no label set of {figure}: give {labels}.")
    return tuple((axis, given[axis]) for axis in axes)


def judge(comparison: Comparison, condition: Condition) -> Judgement:
    """Failed only if the whole interval is where it must not be, passed only if none of it is."""
    row = _row(comparison, condition)
    if row is None:
        return Judgement(condition, "cannot tell", "nothing of it occurred on either side")
    limits = _limits(row, condition.measure)
    if limits is None:
        return Judgement(
            condition, "cannot tell", row.why_not or "nothing was before, so there is no percentage"
        )
    unit = "%" if condition.measure == "percent" else ""
    sign = "" if condition.measure == "value" else "+"
    low, high = (f"{limit:{sign}{'.0f' if 1e4 <= abs(limit) < inf else '.4g'}}{unit}" for limit in limits)
    said = f"95 % from {low} to {high}" if limits[0] != limits[1] else f"{low} in every run"
    inside = [_holds(limit, condition) for limit in limits]
    if not any(inside):
        return Judgement(condition, "passed", said)
    if not all(inside):
        return Judgement(condition, "cannot tell", said)
    if row.shown == "none shown" and not _holds(0.0, condition) and condition.measure != "value":
        return Judgement(condition, "cannot tell", f"{said}, but the exact test shows no difference")
    return Judgement(condition, "failed", said)


def _row(comparison: Comparison, condition: Condition) -> Row | None:
    which = condition.which
    if isinstance(which, tuple) or condition.figure not in _OF_MODES:
        rows = (row for group in comparison.families for row in group.rows)
        wanted = dict(which) if isinstance(which, tuple) else {}
        return next((r for r in rows if r.figure.name == condition.figure and r.labels == wanted), None)
    groups = (group for group in comparison.totals if group.mode == which)
    return next((r for group in groups for r in group.rows if r.figure.name == condition.figure), None)


def _limits(row: Row, measure: Measure) -> Limits | None:
    if measure == "value":
        return row.after_limits
    if row.difference is None or row.difference.limits is None:
        return None
    if measure == "change":
        return row.difference.limits
    if row.ratio:
        return row.ratio.limits and ((row.ratio.limits[0] - 1) * 100, (row.ratio.limits[1] - 1) * 100)
    if row.method != "exact":
        return None
    # Nothing before, in every run: nothing after is no change, and something is more than any percentage.
    return (inf, inf) if row.after else (0.0, 0.0)


def _holds(value: float, condition: Condition) -> bool:
    """Rounded, so that a change of 10 % in whole numbers is not more than 10 %."""
    value, bound = float(f"{value:.12g}"), condition.value
    return {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[condition.op]
