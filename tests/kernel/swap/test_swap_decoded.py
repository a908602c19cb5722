# SPDX-License-Identifier: GPL-2.0-only
"""What the decoder reads in a living process equals what the producer and /proc/swaps say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from profiler.pte import swaps
from profiler.pte.layout import Layout
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.producer import Producer

P = 61
KEPT = 512 * (os.cpu_count() or 1)
"""Slots of the area before that CPUs may still take, whatever the priorities: 64 that each has set aside
(SWAP_SLOTS_CACHE_SIZE, include/linux/swap_slots.h), since v6.15 what is left of its cluster
(SWAPFILE_CLUSTER; mm/swapfile.c, swap_alloc_fast())."""


def _pte(producer: Producer) -> list[dict[str, Any]]:
    """``uffd-profiler pte`` of all its pages."""
    place = ["--pid", str(producer.pid), "--address", hex(producer.base), "--pages", str(producer.pages)]
    done = subprocess.run(
        [sys.executable, "-m", "profiler", "pte", *place, "--json", "-"],
        check=True,
        capture_output=True,
        text=True,
    )
    entries: list[dict[str, Any]] = json.loads(done.stdout)["entries"]
    return entries


def test_slots_of_two_areas_are_told_apart(make: Make, disk: Path, layout: Layout) -> None:
    with (
        make("anon", P) as first,
        make("anon", P + KEPT) as second,
        devices.area("zram", disk, priority=5) as compressed,
    ):
        first.fill()
        first.page_out()
        with devices.area("loop", disk, priority=9) as loop:
            second.fill()
            second.register()
            second.protect()
            second.page_out()
            assert swaps.read() == (compressed.name, loop.name)
            ours, theirs = (
                [entry for entry in producer.entries(layout) if entry.kind == "swap_slot"]
                for producer in (first, second)
            )
            shown = [one for one in _pte(first) if one["kinds"] == ["swap_slot"]]
    assert {entry.type for entry in ours} == {0}
    assert {entry.type for entry in theirs} <= {0, 1}
    assert min(len(ours), len([entry for entry in theirs if entry.type == 1])) > P // 2
    slots = [(entry.type, entry.offset) for entry in (*ours, *theirs)]
    assert len(set(slots)) == len(slots)
    for type_, offset in slots:
        assert offset is not None
        assert 0 < offset < (compressed, loop)[type_ or 0].slots
    for entries, protected in ((ours, False), (theirs, True)):
        if "uffd_wp" not in entries[0].unknown:
            assert {entry.uffd_wp for entry in entries} == {protected}
    # Only of the first type it is certain which area it is, as long as the others are not seen.
    assert [(one["type"], one["offset"], one["uffd_wp"], one["devices"]) for one in shown] == [
        (entry.type, entry.offset, entry.uffd_wp, [compressed.name]) for entry in ours
    ]
