# SPDX-License-Identifier: GPL-2.0-only
"""The service on the running kernel: real BPF, real HTTP."""

import os
from collections.abc import Iterator

import pytest

from tests.service.running import ROOT, Running, running

PROMETHEUS = ROOT / ".venv/prometheus/usr/bin"
"""Where ``make install-tests`` unpacks Debian's package."""

os.environ["PATH"] = f"{PROMETHEUS}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that all tests of a file share."""
    log = tmp_path_factory.mktemp("service") / "log"
    with running(log, "--tick=1", "--policy=mainline", "--collector.resolve") as started:
        yield started
        assert started.process.poll() is None, started.said()
        assert "Traceback" not in started.said(), started.said()
