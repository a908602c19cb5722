# SPDX-License-Identifier: GPL-2.0-only
"""The dashboard put together: variables, then the rows in the order of the questions they answer."""

import json
from types import ModuleType

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from . import variables
from .rows import profiler, read_path, swap_entries, userfaults, verdict

ROWS: tuple[ModuleType, ...] = (verdict, read_path, userfaults, swap_entries, profiler)
"""Each has a ``TITLE`` and ``panels()``."""

UID = "uffd-profiler"


def model() -> Model:
    """The dashboard as Grafana's model; panels numbered from 1, so that links to a panel last."""
    dashboard = (
        Dashboard("uffd-profiler")
        .uid(UID)
        .description(
            "The Linux page-fault path around userfaultfd: does fault-around run in registered regions, "
            "and where does the time of a userfault go."
        )
        .tags(["ebpf", "page faults", "userfaultfd"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .variables([variables.datasource(), *variables.queried()])
    )
    number = 0
    for row in ROWS:
        number += 1
        dashboard.with_row(Row(row.TITLE).id(number))
        for panel in row.panels():
            number += 1
            dashboard.with_panel(panel.id(number))
    return dashboard.build()


def render() -> str:
    """The committed JSON: keys sorted, so that a change of the library's order is no change."""
    return json.dumps(model(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
