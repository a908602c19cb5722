# SPDX-License-Identifier: GPL-2.0-only
"""The Grafana dashboard as code, and beside it the Prometheus rules; nothing here runs in the service.

``python -m dashboards`` writes ``uffd-profiler.json``. One file in ``rows/`` is one row of the dashboard.
"""

from pathlib import Path

HERE = Path(__file__).parent
DASHBOARD = HERE / "uffd-profiler.json"
"""The committed model, as Grafana's file provider or its import page take it."""

RULES = (HERE / "rules" / "recording.yaml", HERE / "rules" / "alerts.yaml")
"""Prometheus rule files."""
