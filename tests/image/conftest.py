# SPDX-License-Identifier: GPL-2.0-only
"""The image, built once from this checkout; nothing of it stays, neither a mount nor a BPF object."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.lab.cache import cache_directory, directory_lock
from tests.bpf_objects import ids, leftovers, settled
from tests.image.base import REFERENCE, base_root
from tests.image.build import Builder, Image
from tests.image.context import make_context
from tests.image.instructions import parse
from tests.image.machine import Loan, lend

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 4 << 30
"""Bytes that must be free in /dev/shm to build there."""


@pytest.fixture(autouse=True)
def nothing_left_attached() -> Iterator[None]:
    before = ids()
    yield
    assert settled(before), leftovers(before)


@dataclass(frozen=True)
class Bench:
    """Where images are built: the ``base`` they begin with, a ``folder`` for them, the ``context``."""

    reference: str
    loan: Loan
    base: Path
    folder: Path
    context: Path

    @contextmanager
    def builder(self, context: Path | None = None) -> Iterator[Builder]:
        """A builder with a folder of its own, which goes with it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            Path(made).chmod(0o755)
            yield Builder(Path(made), context or self.context, self.find, self.loan)

    def find(self, reference: str) -> Path:
        """The base; another than the one there is, is an error of the Dockerfile."""
        assert reference == self.reference
        return self.base


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    mounts = Path("/proc/self/mountinfo").read_text()
    reference = parse((ROOT / "Dockerfile").read_text())[1][-1].base
    match = REFERENCE.fullmatch(reference)
    assert match, f"{reference} is not pinned by date"
    # Whoever takes the locks next sweeps what a killed session has left.
    cache = cache_directory() / "image"
    with directory_lock(cache), directory_lock(_place(cache)):
        folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=_place(cache)))
        try:
            folder.chmod(0o755)
            context, lent = folder / "context", folder / "lent"
            context.mkdir()
            lent.mkdir()
            make_context(ROOT, context)
            base = base_root(reference, cache, folder)
            yield Bench(reference, lend(lent, match["suite"]), base, folder, context)
        finally:
            shutil.rmtree(folder)
    assert Path("/proc/self/mountinfo").read_text() == mounts


def _place(cache: Path) -> Path:
    """Memory where there is enough: an image is 20 000 small files, which are deleted again at the end."""
    memory = Path("/dev/shm")  # noqa: S108
    enough = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY
    return memory / "uffd-profiler-image" if enough else cache / "builds"


@dataclass(frozen=True)
class Built:
    """The image, the stage that its programs were made in, and the seconds that building took."""

    image: Image
    first_stage: Image
    seconds: float


@pytest.fixture(scope="session")
def built(bench: Bench) -> Iterator[Built]:
    begun = time.monotonic()
    with bench.builder() as builder:
        image = builder.build((ROOT / "Dockerfile").read_text())
        yield Built(image, builder.stage("build"), time.monotonic() - begun)
