# SPDX-License-Identifier: GPL-2.0-only
"""uvicorn put together with every bound and guard of this service."""

import asyncio
import socket
import ssl

import uvicorn
from starlette.types import ASGIApp

from .auth import BasicAuth
from .config_file import ConfigFile
from .limits import Limits
from .listener import BoundedListener
from .loop import BoundedLoop
from .protocol import with_limits
from .rate_limit import RateLimiter
from .security_headers import SecurityHeaders
from .tls import ReloadingContext


def guarded(app: ASGIApp, file: ConfigFile) -> ASGIApp:
    """*app* behind the rate limit, the users and the headers of the web config file."""
    inner = BasicAuth(app, lambda: file.current.users)
    limited = RateLimiter(inner, lambda: file.current.rate_limit)
    return SecurityHeaders(limited, lambda: file.current.headers)


def uvicorn_config(app: ASGIApp, file: ConfigFile, limits: Limits | None = None) -> uvicorn.Config:
    """The configuration of the server; serve with sockets of :func:`listeners`, in a :func:`new_loop`.

    Whether TLS is spoken is settled here; what it is spoken with follows *file*.
    """
    limits = limits or Limits()
    context = None if file.current.tls is None else ReloadingContext(lambda: _context(file))
    return uvicorn.Config(
        guarded(app, file),
        interface="asgi3",
        http=with_limits(limits),
        ws="none",
        lifespan="off",
        # Logging is set up once, for the whole process.
        log_config=None,
        # Whoever comes over loopback could claim to be anybody.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=1,
        ssl_context_factory=None if context is None else lambda *_: context,
    )


def listeners(
    sockets: list[socket.socket], config: uvicorn.Config, limits: Limits | None = None
) -> list[socket.socket]:
    """Bound or inherited sockets, with the bound on connections; for ``uvicorn.Server.serve(sockets=…)``."""
    tls = config.ssl_context_factory is not None
    return [BoundedListener(sock, limits or Limits(), tls=tls) for sock in sockets]


def new_loop(limits: Limits | None = None) -> asyncio.AbstractEventLoop:
    """An event loop with the bounds of TLS connections, for ``asyncio.Runner(loop_factory=new_loop)``."""
    loop = BoundedLoop()
    if limits is not None:
        loop.handshake_seconds = limits.request_seconds
    return loop


def _context(file: ConfigFile) -> ssl.SSLContext:
    context = file.current.context
    if context is None:
        raise RuntimeError("TLS is never switched off while serving")
    return context
