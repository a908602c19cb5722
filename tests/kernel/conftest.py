# SPDX-License-Identifier: GPL-2.0-only
"""Real BPF on the running kernel: the same suite natively and, by ``uffd-profiler vm``, on others.

``UFFD_EXPECT_WAYS`` (e.g. ``fentry,kprobe,tracepoint``) names the ways that this kernel must have.
``UFFD_THROWAWAY`` is set in a VM: there devices may be set up, on a machine of somebody's nothing is.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from tests.kernel.missed import nothing_missed
from tests.ways import AVAILABLE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Those who share a session are grouped by way over all modules; the others stay in their own."""
    if "way" in metafunc.fixturenames:
        shared = "attached" in metafunc.fixturenames
        metafunc.parametrize("way", AVAILABLE, scope="session" if shared else "module")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The shared session comes last: it would make every fault of what the other tests start cost more."""
    items.sort(key=lambda item: "attached" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def attached(way: WayName) -> Iterator[Session]:
    """Everything that this test process starts is counted, itself is not. Attached once for each way."""
    with Session(Request({os.getpid(): FOLLOWED}, way)) as session:
        assert session.plan.way("fault") == way
        yield session


@pytest.fixture(scope="module")
def session(attached: Session) -> Iterator[Session]:
    """The session of this way; it may miss nothing while a module uses it."""
    before = attached.snapshot()
    yield attached
    nothing_missed(attached.snapshot() - before)


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose files are on a disk, so that their page cache can be cold."""
    for folder in (tmp_path_factory.mktemp("disk"), Path("/var/tmp")):  # noqa: S108
        kind = subprocess.run(
            ["findmnt", "-n", "-o", "FSTYPE", "-T", folder], capture_output=True, text=True, check=True
        )
        if kind.stdout.strip() in ("ext4", "xfs", "btrfs"):
            yield folder
            return
    if "UFFD_THROWAWAY" not in os.environ:
        pytest.fail("neither the temporary folder nor /var/tmp is on a disk; set TMPDIR to a folder that is")
    image = Path("/dev/shm/disk.img")  # noqa: S108
    mount = tmp_path_factory.mktemp("mount")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    for command in (
        ["modprobe", "-a", "loop", "ext4"],
        ["mkfs.ext4", "-q", "-F", str(image)],
        ["mount", "-o", "loop", str(image), str(mount)],
    ):
        subprocess.run(command, check=True)
    yield mount
    subprocess.run(["umount", mount], check=True)
    image.unlink()
