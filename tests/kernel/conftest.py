# SPDX-License-Identifier: GPL-2.0-only
"""Real BPF on the running kernel: the same suite natively and, by ``uffd-profiler vm``, on others.

``UFFD_EXPECT_WAYS`` (e.g. ``fentry,kprobe,tracepoint``) names the ways that this kernel must have.
"""

import os
from collections.abc import Iterator

import pytest

from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from tests.ways import AVAILABLE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", AVAILABLE, scope="module")


@pytest.fixture(scope="module")
def session(way: WayName) -> Iterator[Session]:
    """Everything that this test process starts is counted, itself is not."""
    with Session(Request({os.getpid(): FOLLOWED}, way)) as attached:
        assert attached.plan.way("fault") == way
        yield attached
        assert attached.snapshot().total("missed").count == 0
        assert not any(attached.snapshot().recursion_misses.values())
