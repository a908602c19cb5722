# SPDX-License-Identifier: GPL-2.0-only
"""The ioctls that resolve userfaults."""

from ...profile import Profile
from .. import availability
from ..occurred import occurred
from ..table import Column, Section, left
from ..units import times


def resolving(profile: Profile) -> Section:
    """By ioctl, and how it ended."""
    rows = tuple(
        (op, result, str(slot.count), *times(slot))
        for (op, result), slot in occurred(profile.total, "resolve")
    )
    return Section(
        "resolving",
        "Resolving",
        "ioctls that resolve userfaults, by their answer; eagain: not all was done",
        (
            left("ioctl"),
            left("answer"),
            Column("count"),
            Column("mean"),
            Column("p50"),
            Column("p99"),
            Column("max"),
        ),
        rows,
        notes=availability.notes(profile.plan, "resolve") if rows else (),
        absent=availability.family(profile.plan, "resolve"),
    )
