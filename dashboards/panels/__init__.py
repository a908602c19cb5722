# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of panel. Each takes a title, a description, a unit and its targets: none is ever without."""

from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, timeseries

from .heat import heat
from .lines import limited, lines, means, quantiles
from .numbers import numbers
from .target import BYTES, COUNTS_PER_SECOND, NUMBER, SECONDS, SHARE, Target
from .timeline import timeline

Panel = timeseries.Panel | stat.Panel | heatmap.Panel | statetimeline.Panel

__all__ = [
    "BYTES",
    "COUNTS_PER_SECOND",
    "NUMBER",
    "SECONDS",
    "SHARE",
    "Panel",
    "Target",
    "heat",
    "limited",
    "lines",
    "means",
    "numbers",
    "quantiles",
    "timeline",
]
