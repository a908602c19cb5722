# SPDX-License-Identifier: GPL-2.0-only
"""What no test of counts may lose."""

from profiler.snapshot import Snapshot


def nothing_missed(seen: Snapshot) -> None:
    """No event was given up, and the kernel left out no run of a program."""
    missed = {cause: slot.count for cause, slot in seen.slots["missed"].items() if slot.count}
    assert missed == {}
    assert not any(seen.recursion_misses.values())
