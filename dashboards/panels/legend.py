# SPDX-License-Identifier: GPL-2.0-only
"""The legend that every graph has."""

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement


def legend() -> VizLegendOptions:
    """A list below the graph."""
    return (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
