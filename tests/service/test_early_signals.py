# SPDX-License-Identifier: GPL-2.0-only
"""A signal between "open" and the server's own handlers is heeded: no supervisor waits for a lost one."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from profiler.hooks.attaching import Attaching
from profiler.service import web
from profiler.service.config_file import ConfigFile
from profiler.service.listen import listen
from profiler.service.log import CountingHandler, setup
from profiler.service.server import Running
from profiler.service.service import Options

HANGS_AFTER = 30
"""Seconds; the service ends within a tenth of one."""


class _NeverAttached:
    """Stands in for the attaching child: nothing ever comes from it."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self.abandoned = False

    def fileno(self) -> int:
        return self._ours.fileno()

    def abandon(self) -> None:
        self._ours.close()
        self._theirs.close()
        self.abandoned = True


@contextmanager
def _handlers_restored() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _hangs(number: int, frame: object) -> None:
    raise AssertionError(f"the service had not ended after {HANGS_AFTER} s")


@pytest.fixture
def handler() -> CountingHandler:
    return setup("error")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_server_serves(handler: CountingHandler, number: int) -> None:
    child = _NeverAttached()
    with _handlers_restored():
        running: Running = web.assemble(
            Options(), handler, ConfigFile(None), listen(["127.0.0.1:0"]), cast(Attaching, child)
        )
        running.heed_signals()
        os.kill(os.getpid(), number)
        assert running.run() == 0
    assert child.abandoned
