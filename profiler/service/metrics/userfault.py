# SPDX-License-Identifier: GPL-2.0-only
"""Userfaults: begun, ended, waiting; and the ioctls that resolve them."""

import math
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.samples import Exemplar

from ...reports import availability
from ...snapshot import EMPTY, Labels, Slot
from ..live import Moment
from .series import Exemplars, by, counter, each, gauge, histogram, label_sets, single

_AXES = ("reason", "backing")
_RESULTS = (*_AXES, "result")
_WAITED = ("resolved", "sigbus", "interrupted")


def userfaults(moment: Moment) -> Iterator[Metric]:
    """One unit is one fault, however often handle_userfault is entered for it."""
    plan, total = moment.plan, moment.total
    if availability.family(plan, "userfault"):
        return
    sets = list(label_sets(plan, "userfault", _AXES))
    begun = by(total, "userfault_begun", _AXES)
    waits = by(total, "userfault_wait_begun", _AXES)
    yield counter(
        "uffd_userfaults_begun",
        "Faults that began to wait for userspace (handle_userfault).",
        _AXES,
        each(sets, begun),
    )
    yield counter(
        "uffd_userfaults",
        "Userfaults that ended, by how; nowait never waited.",
        _RESULTS,
        each(label_sets(plan, "userfault", _RESULTS), by(total, "userfault", _RESULTS)),
    )
    yield histogram(
        "uffd_userfault_wait_seconds",
        "Whole wait of a userfault for userspace (handle_userfault), from its beginning to its end.",
        _AXES,
        sets,
        by(total, "userfault", _AXES, result=_WAITED),
        _exemplars(moment),
    )
    yield counter(
        "uffd_userfault_rewaits",
        "Waits beyond the first of a userfault: woken without its page being there, or a signal.",
        _AXES,
        ((labels, _less(waits, begun, labels)) for labels in sets),
    )
    ended = by(total, "userfault_wait", _AXES)
    yield gauge(
        "uffd_userfaults_waiting",
        "Threads inside handle_userfault now.",
        _AXES,
        ((labels, _less(waits, ended, labels)) for labels in sets),
    )
    yield single(
        "uffd_userfault_oldest_start_timestamp_seconds",
        "When the thread that is longest inside handle_userfault entered it; NaN while there is none.",
        _oldest(moment),
    )


def _less(more: dict[Labels, Slot], fewer: dict[Labels, Slot], labels: Labels) -> int:
    """A difference of two counts that were read while they grow: it may be off by one, never below 0."""
    return max(0, more.get(labels, EMPTY).count - fewer.get(labels, EMPTY).count)


def _oldest(moment: Moment) -> float:
    starts = [waiter.start_ns for waiter in moment.total.waiting]
    return (min(starts) + moment.unix_offset_ns) / 1e9 if starts else math.nan


def _exemplars(moment: Moment) -> Exemplars:
    """The last slow userfault of each bucket, with the thread that waited."""
    found: dict[Labels, dict[int, Exemplar]] = {}
    for recent in moment.total.recent:
        who = {"pid": str(recent.tgid), "tid": str(recent.tid)}
        ended = (recent.end_ns + moment.unix_offset_ns) / 1e9
        found.setdefault((recent.reason, recent.backing), {})[recent.bucket] = Exemplar(
            who, recent.ns / 1e9, ended
        )
    return found
