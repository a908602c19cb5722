# SPDX-License-Identifier: GPL-2.0-only
"""What a session asks of the attaching child."""

from dataclasses import dataclass

from .catalogue import WayName


@dataclass(frozen=True)
class Request:
    """What to attach for.

    :param processes: process id → how it is followed; ``None`` is system-wide.
    :param best_way: no way better than this one is taken.
    """

    processes: dict[int, int] | None = None
    best_way: WayName = "fentry"
