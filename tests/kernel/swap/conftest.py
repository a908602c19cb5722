# SPDX-License-Identifier: GPL-2.0-only
"""Page table entries that are not present, made on purpose: swap areas, and the process that makes them."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from profiler.hooks.session import Session
from profiler.pte import from_kernel
from profiler.pte.layout import Layout
from tests.kernel.swap import devices, producer
from tests.kernel.swap.producer import Backing, Producer

Make = Callable[[Backing, int], AbstractContextManager[Producer]]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled producer."""
    if "UFFD_THROWAWAY" not in os.environ:
        pytest.fail("swap is set up, and memory declared broken, only in a VM: run this by `make test-vm`")
    return producer.build(tmp_path_factory.mktemp("producer"))


@pytest.fixture
def make(program: Path) -> Make:
    """Start a producer of so many pages."""
    return partial(producer.producer, program)


@pytest.fixture
def hooked(session: Session) -> bool:
    """Whether this way sees the faults of swap entries; by tracepoints none does."""
    return session.plan.way("swap_entry") != "none"


@pytest.fixture(scope="session")
def layout() -> Layout:
    """The numbers of this kernel, by the profiler's own look-up."""
    return from_kernel.running()


@pytest.fixture
def zram(disk: Path) -> Iterator[devices.Area]:
    """Swap to compressed memory: read back at once, and never kept in the swap cache."""
    with devices.area("zram", disk) as area:
        yield area


@pytest.fixture(params=["file", "loop"])
def disk_area(request: pytest.FixtureRequest, disk: Path) -> Iterator[devices.Area]:
    """Swap to a file on a file system, or to a block device on one: pages stay in the swap cache."""
    with devices.area(request.param, disk) as area:
        yield area
