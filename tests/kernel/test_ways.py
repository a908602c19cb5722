# SPDX-License-Identifier: GPL-2.0-only
"""The ways and modes that this kernel is known to have: one that is lost fails, it is not skipped."""

import os

from tests.modes import EXPECTED, SUPPORTED
from tests.ways import AVAILABLE


def test_no_way_was_lost() -> None:
    expected = os.environ.get("UFFD_EXPECT_WAYS", "tracepoint").split(",")
    assert set(expected) <= set(AVAILABLE)


def test_no_mode_was_lost() -> None:
    assert {mode for mode in SUPPORTED if "+" not in mode} == EXPECTED
