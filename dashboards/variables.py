# SPDX-License-Identifier: GPL-2.0-only
"""The template variables, with the names and settings that Grafana's dashboard linter asks for.

``$job`` and ``$instance`` are found by ``uffd_profiler_build_info``, which every service has from its first
scrape on; ``$uffd_mode`` by the verdict, which has a series for each mode whatever the kernel can tell.
"""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from .promql import TARGET, select

ALL = ".+"
"""What ``All`` stands for: a matcher that lets no series without the label pass."""

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The data source of every panel and variable: the one chosen, never a fixed uid."""


def datasource() -> DatasourceVariable:
    """The Prometheus to ask."""
    return (
        DatasourceVariable("datasource").label("Data source").type("prometheus").hide(VariableHide.DONT_HIDE)
    )


def queried() -> list[QueryVariable]:
    """``$job``, ``$instance``, ``$uffd_mode``; each narrowed by those before it."""
    return [
        _values("job", "Job", "uffd_profiler_build_info"),
        _values("instance", "Instance", 'uffd_profiler_build_info{job=~"$job"}'),
        _values("uffd_mode", "Uffd mode", select("uffd_fault_around_verdict", TARGET)),
    ]


def _values(name: str, label: str, series: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .hide(VariableHide.DONT_HIDE)
        .datasource(SOURCE)
        .query(f"label_values({series}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
