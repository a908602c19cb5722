# SPDX-License-Identifier: GPL-2.0-only
"""What is run: the cells in which kernels differ that gate fault-around differently."""

from random import Random

from ..workload.run import Cache, Options

PAGES = 509
"""Per run: a prime, 32 windows of fault-around."""

_CACHES: tuple[tuple[str, tuple[Cache, ...]], ...] = (
    # Unregistered: the control, which no gate touches.
    ("none", ("full", "half", "empty")),
    # Nothing to map around: what a gate saves. All of it there: what it costs.
    ("missing", ("full", "half", "empty")),
    ("wp", ("full", "half")),
    # Without a gate MINOR userfaults are lost: neighbours are mapped that userspace was to be asked for.
    ("minor", ("full", "half")),
)


def cells(pages: int = PAGES) -> tuple[Options, ...]:
    """Read touches of a memfd, each page once and in order; by mode and how much of it is in the page cache.

    The last is a region whose pages are all write-protected and gone: pte markers, between which an ungated
    fault-around finds nothing to map.
    """
    plain = [
        Options(backing="memfd", mode=mode, cache=cache, pages=pages)
        for mode, caches in _CACHES
        for cache in caches
    ]
    return (*plain, Options(backing="memfd", mode="wp", marker=True, pages=pages))


def shuffled(wanted: tuple[Options, ...], block: int, repetition: int) -> list[Options]:
    """In an order of its own for each block and repetition, and the same on both sides of a comparison."""
    order = list(wanted)
    Random(block * 1_000_003 + repetition).shuffle(order)  # noqa: S311 (nothing secret)
    return order
