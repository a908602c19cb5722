# SPDX-License-Identifier: GPL-2.0-only
"""The counter slots: twin of ``bpf/slots.h``, and the one place where their layout is written.

A *family* is a set of slots over closed label sets, complete by construction. The BPF side gets the
layout as ``#define`` (:func:`definitions`), the Python side as :class:`Family`.

A slot is 32 words of 64 bits: count, sum, wait, max and 28 buckets, not cumulative. A value above the
last boundary is in no bucket: it shows in the count alone, which is ``le="+Inf"``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from .pte.kinds import LABELS

WORDS = 32
BUCKETS = 28
TIME_UNIT_NS = 125

MODE_MISSING, MODE_WP, MODE_MINOR = 1, 2, 4
_MODE_NAMES = ((MODE_MISSING, "missing"), (MODE_WP, "wp"), (MODE_MINOR, "minor"))

MODES = tuple("+".join(name for bit, name in _MODE_NAMES if mode & bit) or "none" for mode in range(8))
"""Userfaultfd mode of a VMA: every combination of MISSING, WP and MINOR; ``none`` is unregistered."""

READ_BACKINGS = ("shmem", "file")
"""What can fault around: memory of the page cache (memfd, tmpfs, shared anonymous; other files)."""

BACKINGS = (*READ_BACKINGS, "anon", "hugetlb")
ORIGINS = ("user", "kernel", "gup")
"""Who faulted: an exception in user mode or in kernel mode, or get_user_pages (no exception)."""

OUTCOMES = ("ran", "returned_early", "not_entered", "skipped", "undetermined", "not_applicable")
"""What fault-around did; see ``bpf/read_fault.c``."""

REASONS = ("missing", "wp", "minor")
RESULTS = ("resolved", "sigbus", "nowait", "interrupted")
SWAP_KINDS = LABELS
"""What the pte said that do_swap_page() was called for: see docs/pte.md."""

UFFD_WP = ("no", "yes")
"""Whether the pte that faulted says that userfaultfd write-protects its page."""

SWAP_RESULTS = ("minor", "major", "retried", "poisoned", "error")
"""How a fault left do_swap_page(); see ``bpf/swap_entry.c``."""

SHMEM_SWAPIN_RESULTS = ("minor", "major", "error")
SWAP_READERS = ("swap_entry", "shmem")
"""What a fault read from swap for: the entry in its pte, or a page of shared memory."""

RESOLVE_OPS = ("copy", "zeropage", "wake", "writeprotect", "continue", "poison", "move")
"""The ioctls of a userfaultfd that resolve, by their names without ``UFFDIO_``."""

RESOLVE_RESULTS = ("ok", "eagain", "eexist", "error")
MISSED = (
    "threads_full",
    "processes_full",
    "waiting_full",
    "vma_unknown",
    "return_lost",
    "ioctl_return_lost",
    "swap_return_lost",
)
BESIDE_THE_FAULT = {
    "ioctl_return_lost": ("resolve",),
    "swap_return_lost": ("swap_fault", "shmem_swapin"),
}
"""Causes of a missed event → the families that alone may lack it: no verdict depends on them."""

SLOW_BUCKET = 14
"""Userfaults in this bucket or a higher one leave a note: those that waited for more than 1.024 ms."""

SLOW_BUCKETS = BUCKETS + 1 - SLOW_BUCKET
"""How many there are; the last is what lies above all boundaries."""


@dataclass(frozen=True)
class Family:
    """Slots of one event: ``base`` is the first, the last axis varies fastest."""

    name: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    base: int
    pages: bool = False

    @property
    def size(self) -> int:
        """Number of slots."""
        return prod(len(values) for _, values in self.axes)

    def labels(self) -> Iterator[tuple[str, ...]]:
        """Label values of each slot, in slot order."""
        return product(*(values for _, values in self.axes))


def _families() -> tuple[Family, ...]:
    origin, mode, reason = ("origin", ORIGINS), ("uffd_mode", MODES), ("reason", REASONS)
    backing = ("backing", BACKINGS)
    read = ("backing", READ_BACKINGS)
    declared = (
        ("page_fault", (origin,), False),
        ("read_fault", (origin, mode, read, ("fault_around", OUTCOMES)), False),
        ("fault_around_run", (mode, read), True),
        ("userfault_begun", (reason, backing), False),
        ("userfault", (reason, backing, ("result", RESULTS)), False),
        ("userfault_wait_begun", (reason, backing), False),
        ("userfault_wait", (reason, backing), False),
        ("swap_fault", (("kind", SWAP_KINDS), ("uffd_wp", UFFD_WP), ("result", SWAP_RESULTS)), False),
        ("shmem_swapin", (("result", SHMEM_SWAPIN_RESULTS),), False),
        ("swap_read", (("by", SWAP_READERS),), True),
        ("resolve", (("op", RESOLVE_OPS), ("result", RESOLVE_RESULTS)), False),
        ("missed", (("cause", MISSED),), False),
    )
    families: list[Family] = []
    base = 0
    for name, axes, pages in declared:
        families.append(Family(name, axes, base, pages))
        base += families[-1].size
    return tuple(families)


FAMILIES = {family.name: family for family in _families()}
SLOTS = sum(family.size for family in FAMILIES.values())

RECENT_ROWS = len(REASONS) * len(BACKINGS) * SLOW_BUCKETS
"""Notes of slow userfaults, on each CPU: by reason, backing and bucket, the last varies fastest."""


def time_boundaries_ns() -> tuple[int, ...]:
    """Upper boundaries of the time buckets, inclusive: 125 ns, doubled up to 16.8 s."""
    return tuple(TIME_UNIT_NS << j for j in range(BUCKETS))


def page_boundaries() -> tuple[int, ...]:
    """Upper boundaries of the page-count buckets, inclusive: 0, 1, 2, 4, …"""
    return (0, *(1 << j for j in range(BUCKETS - 1)))


def definitions() -> dict[str, int]:
    """Constants of the layout for the C side."""
    names = {
        "SLOTS": SLOTS,
        "BUCKETS": BUCKETS,
        "TIME_UNIT": TIME_UNIT_NS,
        "MODES": len(MODES),
        "MODE_MISSING": MODE_MISSING,
        "MODE_WP": MODE_WP,
        "MODE_MINOR": MODE_MINOR,
        "BACKINGS": len(BACKINGS),
        "READ_BACKINGS": len(READ_BACKINGS),
        "OUTCOMES": len(OUTCOMES),
        "RESULTS": len(RESULTS),
        "UFFD_WP_STATES": len(UFFD_WP),
        "SWAP_RESULTS": len(SWAP_RESULTS),
        "RESOLVE_OPS": len(RESOLVE_OPS),
        "RESOLVE_RESULTS": len(RESOLVE_RESULTS),
        "SLOW_BUCKET": SLOW_BUCKET,
        "SLOW_BUCKETS": SLOW_BUCKETS,
        "RECENT_ROWS": RECENT_ROWS,
    }
    for family in FAMILIES.values():
        names[f"SLOT_{family.name.upper()}"] = family.base
    for prefix, values in (
        ("BACKING", BACKINGS),
        ("ORIGIN", ORIGINS),
        ("OUTCOME", OUTCOMES),
        ("REASON", REASONS),
        ("RESULT", RESULTS),
        ("OP", RESOLVE_OPS),
        ("RESOLVED", RESOLVE_RESULTS),
        ("MISSED", MISSED),
        ("SWAP_KIND", SWAP_KINDS),
        ("SWAP", SWAP_RESULTS),
        ("SHMEM_SWAPIN", SHMEM_SWAPIN_RESULTS),
        ("SWAP_READ_BY", SWAP_READERS),
    ):
        names |= {f"{prefix}_{value.upper()}": index for index, value in enumerate(values)}
    return names
