# SPDX-License-Identifier: GPL-2.0-only
"""The comparison as JSON; docs/compare.md describes every field, its shape is in ``../schema/``."""

from math import isinf
from typing import Any

from ... import __version__
from ...comparison.distributions import CONFIDENCE, Limits
from ...comparison.loading import Cell, Side
from ...comparison.resampling import RESAMPLES, SEED
from ...comparison.result import Change, Group, Row
from ..json import dump, encodable
from . import words
from .report import Report

SCHEMA = "uffd-profiler/comparison/1"


def render(report: Report) -> str:
    """The whole document, ended by a newline."""
    return dump(document(report))


def document(report: Report) -> dict[str, Any]:
    """The comparison as plain data."""
    comparison = report.comparison
    return {
        "schema": SCHEMA,
        "version": __version__,
        "before": _side(comparison.before),
        "after": _side(comparison.after),
        "clock": comparison.before.clock,
        "command": None if comparison.before.argv is None else [encodable(a) for a in comparison.before.argv],
        "statistics": {"confidence": CONFIDENCE, "seed": SEED, "resamples": RESAMPLES},
        "notes": [encodable(note) for note in comparison.notes],
        "totals": [_group(group, comparison.before) for group in comparison.totals],
        "workloads": [_group(group, comparison.before) for group in comparison.cells],
        "families": [_group(group, comparison.before) for group in comparison.families],
        "not_comparable": {
            "before": [_options(cell) for cell in comparison.only_before],
            "after": [_options(cell) for cell in comparison.only_after],
        },
        "conditions": [
            {"expression": encodable(j.condition.text), "outcome": j.outcome, "why": encodable(j.why)}
            for j in report.judgements
        ],
        "exit_code": int(report.exit_code),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": encodable(side.name),
        "schema": side.schema,
        "version": side.version,
        "release": encodable(side.release),
        "fault_around_bytes": side.fault_around_bytes,
        "runs": side.runs,
        "workloads": len(side.cells),
    }


def _options(cell: Cell) -> dict[str, str | int | bool | None]:
    return {encodable(name): encodable(value) if isinstance(value, str) else value for name, value in cell}


def _group(group: Group, side: Side) -> dict[str, Any]:
    return {
        "title": encodable(group.title),
        "family": group.family,
        "mode": group.mode,
        "own_mode": group.own,
        "options": None if group.cell is None else _options(group.cell),
        "rows": [_row(row, side) for row in group.rows],
    }


def _row(row: Row, side: Side) -> dict[str, Any]:
    return {
        "figure": row.figure.name,
        "unit": words.unit(row.figure, side.clock),
        "labels": row.labels,
        "before": row.before,
        "after": row.after,
        "after_limits": _limits(row.after_limits),
        "difference": _change(row.difference),
        "ratio": _change(row.ratio),
        "shown": row.shown,
        "words": words.NONE_SHOWN if row.shown == "none shown" else None,
        "method": row.method,
        "units": list(row.units),
        "p_value": row.p_value,
        "why_not": None if row.why_not is None else encodable(row.why_not),
        "values": {"before": list(row.values[0]), "after": list(row.values[1])},
    }


def _change(change: Change | None) -> dict[str, Any] | None:
    return None if change is None else {"estimate": change.estimate, "limits": _limits(change.limits)}


def _limits(limits: Limits | None) -> dict[str, float | None] | None:
    """``null`` in the place of a limit that is not there."""
    if limits is None:
        return None
    low, high = (None if isinf(limit) else limit for limit in limits)
    return {"low": low, "high": high}
