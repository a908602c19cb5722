# SPDX-License-Identifier: GPL-2.0-only
"""Queries with their legends, and the units of what they give."""

from typing import NamedTuple

from grafana_foundation_sdk.builders.prometheus import Dataquery

from ..variables import SOURCE

COUNTS_PER_SECOND, SECONDS, BYTES, SHARE, NUMBER = "cps", "s", "bytes", "percentunit", "none"
"""Grafana's names of the units in use."""

NOT_AVAILABLE = "not available: the panel Hooks shows what this kernel offers"
"""Stands where a query finds no series, which means that the ways taken cannot give the figure."""


class Target(NamedTuple):
    """A query and the legend of its series."""

    expr: str
    legend: str


def queries(targets: tuple[Target, ...]) -> tuple[Dataquery, ...]:
    """The queries of a panel over its time range, lettered as Grafana does."""
    return tuple(query(target, "ABCDEFGH"[i]) for i, target in enumerate(targets))


def query(target: Target, ref: str) -> Dataquery:
    """One query over the panel's time range."""
    return Dataquery().datasource(SOURCE).expr(target.expr).legend_format(target.legend).ref_id(ref).range()
