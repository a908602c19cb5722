# SPDX-License-Identifier: GPL-2.0-only
"""Faults on ptes that are not present."""

from collections.abc import Iterator

from prometheus_client import Metric

from ...reports import availability
from ..live import Moment
from .series import by, histogram, label_sets

_AXES = ("kind", "uffd_wp")


def swap_entries(moment: Moment) -> Iterator[Metric]:
    """One unit is one fault that reached do_swap_page."""
    if availability.family(moment.plan, "swap_fault"):
        return
    yield histogram(
        "uffd_swap_entry_fault_duration_seconds",
        "Time of completed faults that reached do_swap_page, without the wait for userspace.",
        _AXES,
        label_sets(moment.plan, "swap_fault", _AXES),
        by(moment.total, "swap_fault", _AXES),
    )
