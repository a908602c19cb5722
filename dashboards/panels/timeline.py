# SPDX-License-Identifier: GPL-2.0-only
"""States over time."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.models.common import VisibilityMode

from ..variables import SOURCE
from .legend import legend
from .limit import thresholds
from .states import State, mappings
from .target import NOT_AVAILABLE, Target, queries


def timeline(
    title: str,
    description: str,
    unit: str,
    *targets: Target,
    states: Mapping[int, State],
    width: int = 12,
    height: int = 8,
) -> statetimeline.Panel:
    """States over time, one bar a series."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .mappings(mappings(states))
        .no_value(NOT_AVAILABLE)
        .span(width)
        .height(height)
        .merge_values(True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(80)
        .legend(legend())
        .thresholds(thresholds(None))
        .targets(list(queries(targets)))
    )
