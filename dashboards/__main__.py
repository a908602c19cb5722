# SPDX-License-Identifier: GPL-2.0-only
"""``python -m dashboards``: write the dashboard's JSON where it is committed."""

from . import DASHBOARD
from .build import render

if __name__ == "__main__":
    DASHBOARD.write_text(render())
