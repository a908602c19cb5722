# SPDX-License-Identifier: GPL-2.0-only
"""What a session counted of swap entries."""

from typing import Any

from profiler.hooks.session import Session
from profiler.snapshot import Snapshot

HOOKS = ("swap_entry", "shmem_swapin", "swap_read")
FAMILY_OF = {"swap_entry": "swap_fault", "shmem_swapin": "shmem_swapin", "swap_read": "swap_read"}


def faults(seen: Snapshot) -> dict[tuple[str, ...], int]:
    """Kind, uffd_wp and result → count, of those that occurred."""
    return {labels: slot.count for labels, slot in seen.slots["swap_fault"].items() if slot.count}


def expected(kind: str, uffd_wp: bool, **results: int) -> dict[tuple[str, ...], int]:
    """The same, by what the producer knows."""
    wp = "yes" if uffd_wp else "no"
    return {(kind, wp, result): count for result, count in results.items() if count}


def shmem(seen: Snapshot) -> dict[str, int]:
    """Result → count of the faults that brought a page of shared memory back."""
    return {labels[0]: slot.count for labels, slot in seen.slots["shmem_swapin"].items() if slot.count}


def lost_returns(session: Session, seen: Snapshot, *hooks: str) -> int:
    """Swap-ins whose return was lost: only kprobes may, some of which have no more instances than CPUs.

    :param hooks: those that may have seen a swap-in.
    """
    lost = seen.total("missed", cause="swap_return_lost").count
    assert not lost or "kprobe" in {session.plan.way(hook) for hook in hooks}, lost
    return lost


def brought_back(**results: int) -> dict[str, int]:
    """Faults on pages of shared memory, by what the producer knows."""
    return {result: count for result, count in results.items() if count}


def check(
    session: Session, seen: Snapshot, swap: dict[tuple[str, ...], int], shared: dict[str, int] | None = None
) -> None:
    """What was counted is what was made: faults by kind, uffd_wp and result; and, if told, shared memory's.

    What is lost is missed, and never counted as something else.
    """
    pairs: list[tuple[str, dict[Any, int], dict[Any, int]]] = [("swap_entry", faults(seen), dict(swap))]
    if shared is not None:
        pairs.append(("shmem_swapin", shmem(seen), dict(shared)))
    lost = lost_returns(session, seen, *(hook for hook, _, _ in pairs))
    for hook, found, made in pairs:
        if not lost or session.plan.way(hook) != "kprobe":
            assert found == made
            continue
        assert found.keys() <= made.keys()
        assert all(count <= made[key] for key, count in found.items())
    assert sum(sum(made.values()) - sum(found.values()) for _, found, made in pairs) == lost


def pages_read(seen: Snapshot, by: str) -> tuple[int, int]:
    """Faults that read from the device, and the pages they read."""
    slot = seen.total("swap_read", by=by)
    return slot.count, slot.sum


def not_available(session: Session, seen: Snapshot) -> None:
    """A way without these hooks says so, and counts nothing."""
    for hook in HOOKS:
        assert session.plan.way(hook) == "none"
        assert seen.total(FAMILY_OF[hook]).count == 0
