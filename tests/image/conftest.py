# SPDX-License-Identifier: GPL-2.0-only
"""The image, built once from this checkout; nothing of it stays, neither a mount nor a BPF object."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.lab.cache import cache_directory, directory_lock
from tests.bpf_objects import ids, leftovers, settled
from tests.image.base import REFERENCE, base_root
from tests.image.build import Builder, Image
from tests.image.context import make_context
from tests.image.instructions import parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_left_attached() -> Iterator[None]:
    before = ids()
    yield
    assert settled(before), leftovers(before)


@dataclass(frozen=True)
class Bench:
    """Where images are built: the ``base`` they begin with, an empty ``folder``, the ``context``."""

    reference: str
    suite: str
    base: Path
    folder: Path
    context: Path

    def builder(self, name: str) -> Builder:
        """A builder with a folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return Builder(folder, self.context, self.find, self.suite)

    def find(self, reference: str) -> Path:
        """The base; asking for another is an error of the Dockerfile."""
        assert reference == self.reference
        return self.base


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    mounts = Path("/proc/self/mountinfo").read_text()
    reference = parse((ROOT / "Dockerfile").read_text())[1][-1].base
    match = REFERENCE.fullmatch(reference)
    assert match, f"{reference} is not pinned by date"
    cache = cache_directory() / "image"
    # A folder of this name is swept by the next to take the lock, should this process be killed.
    with directory_lock(cache):
        folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=cache))
        try:
            folder.chmod(0o755)
            context = folder / "context"
            context.mkdir()
            make_context(ROOT, context)
            yield Bench(reference, match["suite"], base_root(reference, cache), folder, context)
        finally:
            shutil.rmtree(folder)
    assert Path("/proc/self/mountinfo").read_text() == mounts


@dataclass(frozen=True)
class Built:
    """The image, the stage that its programs were made in, and the seconds that building took."""

    image: Image
    first_stage: Image
    seconds: float


@pytest.fixture(scope="session")
def built(bench: Bench) -> Built:
    begun = time.monotonic()
    builder = bench.builder("image")
    image = builder.build((ROOT / "Dockerfile").read_text())
    return Built(image, builder.stage("build"), time.monotonic() - begun)
