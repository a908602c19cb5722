# SPDX-License-Identifier: GPL-2.0-only
"""Figures of now."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.builders.common import ReduceDataOptions
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, BigValueTextMode

from ..variables import SOURCE
from .limit import thresholds
from .states import State, mappings
from .target import NOT_AVAILABLE, Target, queries


def numbers(
    title: str,
    description: str,
    unit: str,
    *targets: Target,
    states: Mapping[int, State] | None = None,
    names: bool = False,
    limit: float | None = None,
    width: int = 4,
    height: int = 4,
) -> stat.Panel:
    """Figures of now, one box a series.

    :param states: what a value means, in words; the box takes its colour.
    :param names: show the legend of the series instead of its value, which says nothing.
    :param limit: the figure turns red from here on.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .mappings(mappings(states or {}))
        .no_value(NOT_AVAILABLE)
        .span(width)
        .height(height)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND if states else BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.NAME if names else BigValueTextMode.AUTO)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(thresholds(limit))
    )
    return panel.targets([query.instant() for query in queries(targets)])
