# SPDX-License-Identifier: GPL-2.0-only
"""How much of this process one client, and all clients together, may hold."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of the HTTP server; times in seconds.

    :param connections: connections that are served; the next :attr:`spare` are told 503, what comes then is
        closed unheard.
    :param request_seconds: from the connection, or from the first byte on a kept one, to the end of the
        request; also the longest TLS handshake.
    :param idle_seconds: without a byte on a kept connection. Above the usual scrape interval of a minute.
    :param write_seconds: how often a client that has not taken everything is looked at, and...
    :param write_rate: ...bytes per second it must have acknowledged since.
    :param linger_seconds: for which a refused client is still heard out, so that it reads why.
    :param header_bytes: request line and headers; up to twice as many are accepted in one packet.
    :param body_bytes: body of a request.
    """

    connections: int = 256
    spare: int = 32
    request_seconds: float = 10.0
    idle_seconds: int = 75
    write_seconds: float = 15.0
    write_rate: int = 2048
    linger_seconds: float = 1.0
    header_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
