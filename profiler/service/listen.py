# SPDX-License-Identifier: GPL-2.0-only
"""The sockets that the service answers on, made while it may still bind any port."""

import re
import socket
from collections.abc import Iterable

from ..errors import Exit, UserError

_BACKLOG = 256
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


def parse(address: str) -> tuple[str, int]:
    """``HOST:PORT``, ``:PORT`` or ``[IPv6]:PORT``, as the exporter toolkit writes it.

    :raises ValueError: with a sentence.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > 65535:
        raise ValueError(f"{address!r} is no address: give HOST:PORT, :PORT or [IPv6]:PORT")
    return found["v6"] or found["host"], int(found["port"])


def listen(addresses: Iterable[str]) -> list[socket.socket]:
    """Listening sockets, one or more an address; ``:PORT`` is every interface.

    :raises UserError: for one that cannot be had; none stays open then.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets += _listen(address)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def _listen(address: str) -> list[socket.socket]:
    host, port = parse(address)
    try:
        if not host and socket.has_dualstack_ipv6():
            return [
                socket.create_server(
                    ("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
                )
            ]
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104
        unique = dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found)
        return [socket.create_server(at[:2], family=family, backlog=_BACKLOG) for family, at in unique]
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(
            f"Cannot listen on {address} ({why}); choose another with --web.listen-address.", Exit.OUTPUT
        ) from error


def url(listening: socket.socket, scheme: str) -> str:
    """How to open it, for somebody on this machine."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = socket.gethostname()
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
