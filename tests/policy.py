# SPDX-License-Identifier: GPL-2.0-only
"""What the running kernel was built to do with fault-around in registered regions.

``UFFD_EXPECT_POLICY`` names it: ``mainline``, as every kernel from 5.19 on is unless it was patched,
``seed`` or ``ungated``. Known from its source, not from what the profiler says of it.
"""

import os

from profiler.slots import MODES
from profiler.verdict import POLICIES, Answer

POLICY = os.environ.get("UFFD_EXPECT_POLICY", "mainline")

EXPECTED: dict[str, Answer] = {mode: POLICIES[POLICY].get(mode, "ran") for mode in MODES}

HOW = "returned_early" if POLICY == "seed" else "not_entered"
"""How a skip looks where do_fault_around is a symbol: the seed's check is inside it, mainline's ahead."""

AGAINST = "mainline" if POLICY == "seed" else "seed"
"""A policy that this kernel does not follow."""


def skips(mode: str) -> bool:
    """Whether fault-around is skipped in regions of this mode."""
    return EXPECTED[mode] == "skipped"
