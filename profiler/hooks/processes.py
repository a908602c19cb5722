# SPDX-License-Identifier: GPL-2.0-only
"""Which processes are followed: twin of ``bpf/process.c``."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

COUNTED = 1
FOLLOWED = 2


def insert(follow: Callable[[int, int], None], wanted: dict[int, int]) -> None:
    """Follow processes and, where asked, the descendants that they have already.

    A fork that happens meanwhile is caught by the tracepoint when its parent is in the map, else by the
    next scan; scans go on until one finds nothing new.
    """
    known: dict[int, int] = {}
    pending = dict(wanted)
    while pending:
        for pid, how in pending.items():
            follow(pid, how)
        known |= pending
        roots = {pid for pid, how in known.items() if how & FOLLOWED}
        pending = {
            child: COUNTED | FOLLOWED
            for child, parent in parents().items()
            if parent in roots and child not in known
        }


def parents() -> dict[int, int]:
    """Parent of every process, from /proc/PID/stat."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            # The command name, in parentheses, may hold anything.
            found[int(stat.parent.name)] = int(stat.read_bytes().rsplit(b")", 1)[1].split()[1])
    return found
