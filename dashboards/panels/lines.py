# SPDX-License-Identifier: GPL-2.0-only
"""Figures over time."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ScaleDistributionConfig,
    StackingConfig,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)

from ..promql import mean, quantile
from ..variables import SOURCE
from .legend import legend
from .limit import thresholds
from .target import NOT_AVAILABLE, SECONDS, Target, queries


def lines(
    title: str, description: str, unit: str, *targets: Target, width: int = 8, stacked: bool = False
) -> timeseries.Panel:
    """Figures over time, on an axis from 0 on."""
    return _graph(title, description, unit, *targets, width=width, stacked=stacked).min(0)


def limited(panel: timeseries.Panel, limit: float) -> timeseries.Panel:
    """The panel with a dashed line where an alert has its limit."""
    style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds(limit)).thresholds_style(style)


def quantiles(
    title: str, description: str, histogram: str, by: str, *matchers: str, width: int = 8
) -> timeseries.Panel:
    """Median and 99th percentile for each value of the label ``by``, on a logarithmic axis."""
    targets = (
        Target(quantile(0.5, histogram, by, *matchers), f"p50 {{{{{by}}}}}"),
        Target(quantile(0.99, histogram, by, *matchers), f"p99 {{{{{by}}}}}"),
    )
    scale = ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10)
    return _graph(title, description, SECONDS, *targets, width=width).scale_distribution(scale)


def means(
    title: str, description: str, histogram: str, by: str, *matchers: str, width: int = 8
) -> timeseries.Panel:
    """Exact mean for each value of the label ``by``: sum by count, no bucket in between."""
    target = Target(mean(histogram, by, *matchers), f"{{{{{by}}}}}")
    return lines(title, description, SECONDS, target, width=width)


def _graph(
    title: str, description: str, unit: str, *targets: Target, width: int = 8, stacked: bool = False
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .no_value(NOT_AVAILABLE)
        .span(width)
        .height(8)
        .show_points(VisibilityMode.NEVER)
        .fill_opacity(20 if stacked else 0)
        .legend(legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .targets(list(queries(targets)))
    )
    if stacked:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    return panel
