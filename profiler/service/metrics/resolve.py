# SPDX-License-Identifier: GPL-2.0-only
"""The ioctls that resolve userfaults."""

from collections.abc import Iterator

from prometheus_client import Metric

from ...reports import availability
from ..live import Moment
from .series import by, histogram, label_sets

_AXES = ("op", "result")


def resolving(moment: Moment) -> Iterator[Metric]:
    """One unit is one ioctl, however many pages it covers and whether or not anybody waits for them."""
    if availability.family(moment.plan, "resolve"):
        return
    yield histogram(
        "uffd_resolve_duration_seconds",
        "Time of the ioctls that resolve userfaults (userfaultfd_ioctl: UFFDIO_COPY and the others).",
        _AXES,
        label_sets(moment.plan, "resolve", _AXES),
        by(moment.total, "resolve", _AXES),
    )
