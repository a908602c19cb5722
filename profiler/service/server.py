# SPDX-License-Identifier: GPL-2.0-only
"""Serves from the first moment, attaches beside it, and ends within two seconds of SIGTERM."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn

from ..errors import Exit, UserError
from ..hooks.attaching import Attaching
from ..hooks.session import Session
from . import http_server
from .config_file import ConfigFile
from .exposition import Wanted
from .service import Service
from .textfile import Textfile

GRACE_SECONDS = 1
"""For answers that are under way at SIGTERM."""

_log = logging.getLogger("uffd_profiler")


class _Server(uvicorn.Server):
    """Ends the streams, which would never end by themselves, before it waits for answers to end."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


@dataclass
class Running:
    """One run of the service, from listening to detached.

    ``started_ns``: CLOCK_MONOTONIC at the start of the program. ``notify``: tells systemd.
    """

    service: Service
    config: uvicorn.Config
    file: ConfigFile
    sockets: list[socket.socket]
    attaching: Attaching
    started_ns: int = 0
    notify: Callable[[str], None] = lambda state: None
    textfile: Textfile | None = None
    exit_code: int = Exit.OK
    server: uvicorn.Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = _Server(self.config, self._ending)

    def heed_signals(self) -> None:
        """From here on SIGINT and SIGTERM are a regular end, however early they come.

        uvicorn takes them over only while it serves, and raises them once more when it has ended.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)

    def run(self) -> int:
        """Until a signal, or until nothing can be attached. Returns the exit code."""
        try:
            with asyncio.Runner(loop_factory=http_server.new_loop) as runner:
                runner.run(self._serve())
        finally:
            self.file.close()
            self.service.live.close()
            self.attaching.abandon()
            if self.textfile:
                self.textfile.remove()
        return self.exit_code

    async def _serve(self) -> None:
        self.file.start()
        beside = asyncio.create_task(self._attach_and_tick())
        try:
            await self.server.serve(sockets=self.sockets)
        finally:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)

    def _end(self, number: int, frame: object) -> None:
        self.server.should_exit = True

    def _ending(self) -> None:
        self.notify("STOPPING=1")
        self.service.streams.close()

    async def _attach_and_tick(self) -> None:
        try:
            await _readable(self.attaching.fileno())
            session = Session(self.attaching)
        except UserError as error:
            _log.error("%s", error)
            self.service.live.failed(str(error))
            self.service.ticker.failed(str(error))
            self.exit_code = error.code
            self.server.should_exit = True
            return
        attach_ns = time.monotonic_ns() - self.started_ns
        self.service.live.attached(session, attach_ns)
        for hook in session.plan.hooks:
            _log.info("hook %s: %s%s", hook.name, hook.way, f" ({hook.reason})" if hook.reason else "")
        _log.info("attached after %.2f s", attach_ns / 1e9)
        ticking = [self.service.ticker.run(self._ready)]
        if self.textfile:
            ticking.append(self._write_textfile(self.textfile))
        try:
            await asyncio.gather(*ticking)
        except Exception:
            _log.exception("the service cannot go on")
            self.exit_code = Exit.CANNOT_TELL
            self.server.should_exit = True

    def _ready(self, ready: bool) -> None:
        self.notify("READY=1" if ready else "STATUS=not ready")

    async def _write_textfile(self, textfile: Textfile) -> None:
        failing = False
        while True:
            body, _ = await self.service.exposition.scrape(Wanted("", gzip=False))
            try:
                await asyncio.to_thread(textfile.write, body)
                failing = False
            except UserError as error:
                if not failing:
                    _log.error("%s", error)
                failing = True
            await asyncio.sleep(self.service.options.tick_seconds)


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, ready.set_result, None)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
