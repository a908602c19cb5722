# SPDX-License-Identifier: GPL-2.0-only
"""Real BPF on the running kernel: the same suite natively and, by ``uffd-profiler vm``, on others.

``UFFD_EXPECT_WAYS`` (e.g. ``fentry,kprobe,tracepoint``) names the ways that this kernel must have.
``UFFD_OWN_SESSIONS`` names those by which tests that share no session run: under emulation attaching is dear,
and by tracepoints they run natively.
``UFFD_THROWAWAY`` is set in a VM: there devices may be set up, on a machine of somebody's nothing is.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from profiler.hooks.catalogue import WayName
from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from tests.kernel.missed import PREEMPTIBLE, left_out, nothing_missed
from tests.kernel.verdicts import Verdict, line
from tests.ways import AVAILABLE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Those who share a session are grouped by way over all modules; the others stay in their own."""
    if "way" in metafunc.fixturenames:
        shared = "attached" in metafunc.fixturenames
        ways = AVAILABLE if shared else _own_sessions(getattr(metafunc.module, "ALSO_BY", ()))
        metafunc.parametrize("way", ways, scope="session" if shared else "module")


def _own_sessions(also: Sequence[WayName]) -> list[WayName]:
    """By which ways the tests that attach for themselves do so."""
    wanted = os.environ.get("UFFD_OWN_SESSIONS", ",".join(AVAILABLE)).split(",")
    return [way for way in AVAILABLE if way in wanted or way in also]


_VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_configure(config: pytest.Config) -> None:
    """A place for the verdicts of this run."""
    config.stash[_VERDICTS] = []


@pytest.fixture
def record_verdict(pytestconfig: pytest.Config) -> Callable[[Verdict], None]:
    """Called with a verdict, it shows up at the end of the run, if ``UFFD_TELL_VERDICTS`` is set."""
    return pytestconfig.stash[_VERDICTS].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell them, where they are wanted."""
    if "UFFD_TELL_VERDICTS" in os.environ:
        for verdict in config.stash[_VERDICTS]:
            terminalreporter.write_line(line(verdict))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The shared session comes last: it would make every fault of what the other tests start cost more."""
    items.sort(key=lambda item: "attached" in getattr(item, "fixturenames", ()))
    if "UFFD_FEWER_CASES" in os.environ:
        items[:] = [item for item in items if not _only_tells_that_it_cannot(item)]


def _only_tells_that_it_cannot(item: pytest.Item) -> bool:
    """By tracepoints no fault of a swap entry is seen: tests of them show only that, on any kernel alike."""
    way = getattr(item, "callspec", None)
    return "hooked" in getattr(item, "fixturenames", ()) and bool(way and way.params["way"] == "tracepoint")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Where the kernel may leave out runs of programs, a test that failed while it did so is run again.

    A profile says of itself that runs were left out, and judges nothing then; counts are exact otherwise.
    """
    session = pyfuncitem.funcargs.get("session")
    if not PREEMPTIBLE or not isinstance(session, Session):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    for last in (False, False, True):
        before = session.snapshot()
        try:
            pyfuncitem.obj(**arguments)
        except AssertionError:
            if last or not left_out(session.snapshot() - before):
                raise
        else:
            break
    return True


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
