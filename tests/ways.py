# SPDX-License-Identifier: GPL-2.0-only
"""The ways that the running kernel has, for parametrized tests."""

from profiler.hooks.attacher import examine
from profiler.hooks.catalogue import WAYS, WayName


def _available() -> tuple[WayName, ...]:
    can = examine().abilities
    refused = {"fentry": can.fentry, "kprobe": can.kprobe, "tracepoint": None}
    return tuple(way for way in WAYS if refused[way] is None)


AVAILABLE = _available()
