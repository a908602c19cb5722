# SPDX-License-Identifier: GPL-2.0-only
"""The limit above which a figure is bad, where an alert has one."""

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode


def thresholds(limit: float | None) -> ThresholdsConfig:
    """Red from ``limit`` on; without one, no colour at all."""
    steps = [Threshold(value=None, color="text")]
    if limit is not None:
        steps.append(Threshold(value=limit, color="red"))
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
