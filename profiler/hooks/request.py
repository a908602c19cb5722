# SPDX-License-Identifier: GPL-2.0-only
"""What a session asks of the attaching child."""

from dataclasses import dataclass

from ..pte.proposals import Proposal
from .catalogue import WayName


@dataclass(frozen=True)
class Request:
    """What to attach for.

    :param processes: process id → how it is followed; ``None`` is system-wide.
    :param best_way: no way better than this one is taken.
    :param resolve: the ioctls that resolve userfaults are timed: ``True`` by any way, ``False`` by none,
        ``None`` only where that does not cost every system call of the machine.
    :param statistics: the kernel keeps account of the runs of all BPF programs of the machine, which costs
        two readings of the clock for each.
    :param uffd_wp_entry: how a patched kernel writes "uffd-wp, and the page is gone" into a pte.
    """

    processes: dict[int, int] | None = None
    best_way: WayName = "fentry"
    resolve: bool | None = None
    statistics: bool = False
    uffd_wp_entry: Proposal | None = None

    @property
    def asked(self) -> dict[str, bool]:
        """Hook → whether it is wanted by any way, or by none; of the others the planner decides."""
        return {} if self.resolve is None else {"resolve": self.resolve}
