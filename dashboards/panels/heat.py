# SPDX-License-Identifier: GPL-2.0-only
"""A histogram over time, in its own buckets."""

from grafana_foundation_sdk.builders import heatmap
from grafana_foundation_sdk.models.common import HeatmapCellLayout, TooltipDisplayMode
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from ..promql import buckets
from ..variables import SOURCE
from .target import COUNTS_PER_SECOND, NOT_AVAILABLE, SECONDS, Target, query


def heat(
    title: str, description: str, histogram: str, *matchers: str, width: int = 8, exemplars: bool = False
) -> heatmap.Panel:
    """Observations per second by time and bucket, in the histogram's own buckets.

    :param exemplars: ask for single observations too; Prometheus keeps them when told to.
    """
    drawn = (
        query(Target(buckets(histogram, *matchers), "{{le}}"), "A")
        .format(PromQueryFormat.HEATMAP)
        .exemplar(exemplars)
    )
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Viridis")
        .scale(HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(COUNTS_PER_SECOND)
        .no_value(NOT_AVAILABLE)
        .span(width)
        .height(8)
        .calculate(False)
        .rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.AUTO))
        .y_axis(heatmap.YAxisConfig().unit(SECONDS))
        .cell_values(heatmap.CellValues().unit(COUNTS_PER_SECOND))
        # Cells without an observation stay empty instead of taking the colour of the least.
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .color(colours)
        .show_legend()
        .show_y_histogram()
        .mode(TooltipDisplayMode.SINGLE)
        .targets([drawn])
    )
