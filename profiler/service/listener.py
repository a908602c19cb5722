# SPDX-License-Identifier: GPL-2.0-only
"""A listening socket that bounds connections from the moment they are accepted.

uvicorn's ``limit_concurrency`` counts requests and holds every connection that sends none; a TLS connection
is not even known to it before the handshake. asyncio calls ``accept`` on the very socket it was given, so the
bound is there.
"""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from typing import Any

from .limits import Limits
from .raw_problem import MEDIA_TYPE, TOO_MANY_CONNECTIONS, document

_DOCUMENT = document(503, TOO_MANY_CONNECTIONS)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
) % (MEDIA_TYPE, len(_DOCUMENT), _DOCUMENT)
#: Kernel memory for what a client does not fetch; autotuning would go up to several MiB for each.
_SEND_BUFFER = 256 * 1024
_PROBE_IDLE, _PROBE_INTERVAL, _PROBES = 30, 5, 3


class BoundedListener(socket.socket):
    """:param sock: bound or inherited; taken over, closed when this one is. :param tls: speaks TLS."""

    def __init__(self, sock: socket.socket, limits: Limits, *, tls: bool = False) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.open = 0
        """Connections accepted and not closed yet, those in a TLS handshake included."""
        self.refused = 0
        """Connections closed unheard."""
        self._most = limits.connections + limits.spare
        self._tls = tls
        # Accepted sockets inherit all of these.
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if self.family in (socket.AF_INET, socket.AF_INET6):
            self._detect_dead_peers(int(limits.write_seconds * 2000))
            # asyncio sets it only where the socket says that it is TCP's, and accepted ones do not. Head and
            # body of an answer are two writes: without it the second waits for a delayed acknowledgement.
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _detect_dead_peers(self, unacknowledged_ms: int) -> None:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_IDLE)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_INTERVAL)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unacknowledged_ms)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection within the bound; those above it are refused on the way.

        :raises BlockingIOError: when there is none.
        """
        while True:
            accepted, address = super().accept()
            if self.open < self._most:
                self.open += 1
                return _Counted(accepted, self), address
            self.refused += 1
            self._refuse(accepted)

    def one_closed(self) -> None:
        """An accepted connection is no more."""
        self.open -= 1

    def _refuse(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            accepted.setblocking(False)
            if not self._tls:
                accepted.send(_TOO_MANY)
            accepted.shutdown(socket.SHUT_WR)
            # What stays unread would turn the end into a reset.
            accepted.recv(65536)


class _Counted(socket.socket):
    """Tells its listener when it is closed, or was dropped without that."""

    def __init__(self, accepted: socket.socket, listener: BoundedListener) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._gone = weakref.finalize(self, listener.one_closed)
        self._gone.atexit = False

    def close(self) -> None:
        super().close()
        self._gone()
