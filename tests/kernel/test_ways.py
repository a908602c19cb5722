# SPDX-License-Identifier: GPL-2.0-only
"""The ways that this kernel is known to have."""

import os

import pytest

from tests.ways import AVAILABLE


def test_no_way_was_lost() -> None:
    expected = os.environ.get("UFFD_EXPECT_WAYS")
    if expected is None:
        pytest.fail("UFFD_EXPECT_WAYS is not set; run these tests by `make test`")
    assert ",".join(AVAILABLE) == expected
