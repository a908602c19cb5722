# SPDX-License-Identifier: GPL-2.0-only
"""What one profile is: the snapshot of a window, and the context it was taken in."""

from dataclasses import dataclass

from .hooks.planner import Plan
from .kernel.clock import Clock
from .snapshot import Snapshot


@dataclass(frozen=True)
class KernelFacts:
    """What the outputs need to know of the kernel that was measured.

    ``fault_around_bytes``: ``None`` when debugfs cannot be read.
    ``minor_flag``: bit of VM_UFFD_MINOR in vm_flags; ``None`` when the kernel has no MINOR mode,
    or no hook asks for it. ``clock``: what its nanoseconds are. ``pte_doubts``: which
    kinds of swap entry cannot be told apart here, a sentence each. ``uffd_wp_entry``: of
    :data:`~.pte.proposals.PROPOSALS`, the one that faults were counted by.
    """

    release: str
    machine: str
    fault_around_bytes: int | None
    minor_flag: int | None
    clock: Clock = "hardware"
    pte_doubts: tuple[str, ...] = ()
    uffd_wp_entry: str | None = None


@dataclass(frozen=True)
class Command:
    """The command that was profiled. ``exit_code``: as a shell gives it; ``None`` while it still runs."""

    argv: tuple[str, ...]
    exit_code: int | None


@dataclass(frozen=True)
class Profile:
    """One profile; every output is made from it.

    ``started_at``: UTC, ISO 8601. ``pids``: roots of the profiled process trees; empty is system-wide.
    ``intervals``: consecutive parts of ``total``, when asked for. ``attach_ns``: from start to attached.
    """

    started_at: str
    pids: tuple[int, ...]
    command: Command | None
    kernel: KernelFacts
    plan: Plan
    total: Snapshot
    intervals: tuple[Snapshot, ...]
    attach_ns: int

    @property
    def scope(self) -> str:
        """Whose faults were counted, in words."""
        if self.command:
            return "the process tree of: " + " ".join(self.command.argv)
        if self.pids:
            return "the process trees of PID " + ", ".join(map(str, self.pids))
        return "all processes"
