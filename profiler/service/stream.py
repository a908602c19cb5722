# SPDX-License-Identifier: GPL-2.0-only
"""Server-sent events: one event, written once, to every stream that is open."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import format_sse_event

PING_SECONDS = 15.0
"""Proxies close what is silent for a minute."""

_BEHIND = 8  # events that a reader may be behind; it is let go then, and begins again with the history


class FullError(Exception):
    """As many streams are open as may be."""


class Streams:
    """The open streams.

    :param most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def publish(self, event: bytes) -> None:
        """To every stream; one that is too far behind is ended."""
        for queue in tuple(self._open):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._end(queue)

    def subscribe(self, first: bytes) -> AsyncIterator[bytes]:
        """A new stream, beginning with ``first``.

        :raises FullError: when there are too many.
        """
        if self._closed or len(self._open) >= self._most:
            raise FullError
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)
        queue.put_nowait(first)
        self._open.add(queue)
        return self._events(queue)

    async def _events(self, queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        try:
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), PING_SECONDS)
                except TimeoutError:
                    event = format_sse_event(comment="still here")
                if event is None:
                    return
                yield event
        finally:
            self._open.discard(queue)

    def _end(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._open.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    def close(self) -> None:
        """End all, and begin no more."""
        self._closed = True
        for queue in tuple(self._open):
            self._end(queue)
