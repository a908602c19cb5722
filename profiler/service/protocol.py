# SPDX-License-Identifier: GPL-2.0-only
"""uvicorn's HTTP/1.1 protocol with bounds on what a client may hold, send and leave unread.

What uvicorn 0.54 and h11 0.16 bound by themselves: an incomplete request line and headers, and 64 KiB of a
body that is not read. What they do not: time until a request is complete (any byte cancels the keep-alive
timer), headers that arrive in one packet, requests sent ahead, a client that does not read, and the end of a
connection to which something is still to be written.
"""

import asyncio
import http
import socket
import sys
from typing import Any, ClassVar, cast

import h11
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from . import raw_problem
from .limits import Limits

#: Of a refused client; by then it has sent a hundred times what is accepted.
_MOST_DISCARDED = 32 * 1024 * 1024
#: tcpi_bytes_acked in struct tcp_info (include/uapi/linux/tcp.h), which only ever grows at its end.
_ACKNOWLEDGED = slice(120, 128)


class BoundedProtocol(H11Protocol):
    """``uvicorn.Config(http=BoundedProtocol)``; other bounds by :func:`with_limits`."""

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = h11.Connection(h11.SERVER, self.limits.header_bytes)
        self._inner = cast(ASGI3Application, self.app)
        self.app = self._bounded
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._too_many = False
        self._refused = False
        self._ending = False
        self._discarded = 0

    # What asyncio calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        # Nothing is left unwritten without pause_writing being called. Not 0: TLS then pauses when empty.
        transport.set_write_buffer_limits(high=1, low=0)
        self._too_many = len(self.connections) > self.limits.connections
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        for timer in (self._request_timer, self._write_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on in pieces, so that h11 looks at the size of the headers before it has all of them."""
        view = memoryview(data)
        while view and not self._ignores(len(view)):
            piece, view = view[: self.limits.header_bytes], view[self.limits.header_bytes :]
            super().data_received(bytes(piece))
        if not self._refused:
            self._await_request()

    def pause_writing(self) -> None:
        """Something waits to be fetched: watch that it is."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """Everything was fetched."""
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    # What uvicorn calls

    def on_response_complete(self) -> None:
        """Begin to wait for the next request; uvicorn's keep-alive timer runs until its first byte."""
        super().on_response_complete()
        if self._ending:
            self._end_in(self.limits.linger_seconds)
        elif self.transport.is_closing():
            self._watch_writing()
        elif self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._request_is_complete()
        else:
            self._await_request()

    def timeout_keep_alive_handler(self) -> None:
        """Close, and not wait for ever for the client to fetch the rest."""
        super().timeout_keep_alive_handler()
        self._watch_writing()

    def shutdown(self) -> None:
        """The server ends: finish what is being answered, but wait for no client that does not take it."""
        self._ending = True
        if self._refused or self.transport.is_closing():
            self.transport.abort()
            return
        super().shutdown()
        if self.transport.is_closing():
            self._end_in(self.limits.linger_seconds)

    def send_400_response(self, msg: str) -> None:
        """A request that cannot be read, as a problem document."""
        # h11 keeps what it could not read; a header block is too long when it has no end by then.
        if len(self.conn.trailing_data[0]) > self.limits.header_bytes:
            self._refuse(431, f"The headers are longer than {self.limits.header_bytes} bytes; send less.")
        else:
            self._refuse(400, "This is no HTTP request; see RFC 9112.")

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: an upgrade may be ignored (RFC 9110, 7.8), and any client can ask."""

    # The bounds

    async def _bounded(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The application, unless the request is refused before it or while it reads the body."""
        most = self.limits.body_bytes
        if self._too_many:
            self._refuse(503, raw_problem.TOO_MANY_CONNECTIONS, [(b"retry-after", b"1")])
            return
        length = dict(self.headers).get(b"content-length", b"0")
        # h11 has checked that it is a number, of at most 20 digits.
        if int(length) > most:
            self._refuse(413, f"The body is longer than {most} bytes; send less.")
            return
        received = 0

        async def bounded_receive() -> ASGIReceiveEvent:
            nonlocal received
            event = await receive()
            if event["type"] == "http.request":
                received += len(event.get("body", b""))
                if received > most:
                    self._refuse(413, f"The body is longer than {most} bytes; send less.")
                    return {"type": "http.disconnect"}
            return event

        await self._inner(scope, bounded_receive, send)

    def _ignores(self, waiting: int) -> bool:
        """Whether what came is not to be looked at."""
        if self._refused:
            self._discarded += waiting
            if self._discarded > _MOST_DISCARDED:
                self.transport.abort()
            return True
        if self.transport.is_closing() or self.conn.their_state in (h11.MUST_CLOSE, h11.CLOSED):
            return True
        if self.conn.their_state is h11.DONE and waiting > self.limits.header_bytes:
            # Requests sent ahead, by more than one.
            self.transport.abort()
            return True
        return False

    def _await_request(self) -> None:
        """Time runs while a request is not complete, whatever trickles in."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._request_is_complete()
        elif self._request_timer is None and not self.transport.is_closing():
            self._request_timer = self.loop.call_later(self.limits.request_seconds, self._request_is_late)

    def _request_is_complete(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_is_late(self) -> None:
        self._request_timer = None
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.timeout_keep_alive_handler()
        else:
            seconds = self.limits.request_seconds
            self._refuse(408, f"The request was not complete after {seconds:g} s; send it at once.")

    def _watch_writing(self) -> None:
        """From now until everything is fetched or the connection is closed, look how the client gets on."""
        if self._write_timer is None:
            self._look_again(self._taken())

    def _look_again(self, before: int) -> None:
        self._write_timer = self.loop.call_later(self.limits.write_seconds, self._look, before)

    def _look(self, before: int) -> None:
        taken = self._taken()
        if taken - before < self.limits.write_seconds * self.limits.write_rate:
            self.transport.abort()
        else:
            self._look_again(taken)

    def _taken(self) -> int:
        """Bytes that the client has acknowledged: asyncio's buffer alone moves in steps of the kernel's."""
        try:
            info = self.transport.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop
            )
        except OSError:
            # A UNIX socket.
            return -self.transport.get_write_buffer_size()
        return int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder)

    def _refuse(self, status: int, detail: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
        """Answer in place of the application, hear the client out for a moment, and close.

        Closing at once would send a reset for what the client still sends, and with it lose the answer.
        """
        self._request_is_complete()
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            # What the application still sends is not for this client.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing() or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        self._refused = True
        body = raw_problem.document(status, detail)
        headers = [*raw_problem.headers(body), (b"connection", b"close"), *(more or [])]
        head = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"
        reason = http.HTTPStatus(status).phrase.encode()
        for event in (
            h11.Response(status_code=status, headers=headers, reason=reason),
            h11.Data(data=b"" if head else body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._end_in(self.limits.linger_seconds)

    def _end_in(self, seconds: float) -> None:
        if self._end_timer is None:
            self._end_timer = self.loop.call_later(seconds, self.transport.abort)


def with_limits(limits: Limits) -> type[BoundedProtocol]:
    """A protocol class with these bounds, for ``uvicorn.Config(http=…)``."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
