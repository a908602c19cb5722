# SPDX-License-Identifier: GPL-2.0-only
"""Measured comparisons: the workload's ``grid`` on one kernel (``series``), on two by ``turns`` (``side``).

What a run is, and how two series compare, is ``profiler.comparison``'s.
"""
