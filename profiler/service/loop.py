# SPDX-License-Identifier: GPL-2.0-only
"""The event loop of the service: asyncio's own, with bounds on a TLS connection's beginning and end.

uvicorn passes neither of these times on, and asyncio's default of 60 seconds for a handshake is too long for
half-open connections.
"""

import asyncio
from typing import Any

from .limits import Limits


class BoundedLoop(asyncio.SelectorEventLoop):
    """``uvicorn.Config(loop="profiler.service.loop:BoundedLoop")``, or ``asyncio.Runner(loop_factory=…)``."""

    handshake_seconds = Limits.request_seconds
    """Longest TLS handshake."""
    shutdown_seconds = Limits.write_seconds
    """Longest wait for the client to fetch the rest and to say goodbye."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        """As asyncio's, with the two times of this class."""
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", self.handshake_seconds)
            kwargs.setdefault("ssl_shutdown_timeout", self.shutdown_seconds)
        return await super().create_server(*args, **kwargs)
