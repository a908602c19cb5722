# SPDX-License-Identifier: GPL-2.0-only
"""The machine's BPF objects are compared before and after each case."""

from collections.abc import Iterator

import pytest

from tests.bpf_objects import ids, leftovers, settled


@pytest.fixture(autouse=True)
def nothing_left_attached() -> Iterator[None]:
    before = ids()
    yield
    assert settled(before), leftovers(before)
