# SPDX-License-Identifier: GPL-2.0-only
"""The ways that this kernel is known to have: one that is lost fails, it is not skipped."""

import os

from tests.ways import AVAILABLE


def test_no_way_was_lost() -> None:
    expected = os.environ.get("UFFD_EXPECT_WAYS", "tracepoint").split(",")
    assert set(expected) <= set(AVAILABLE)
