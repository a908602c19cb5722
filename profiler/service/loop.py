# SPDX-License-Identifier: GPL-2.0-only
"""The event loop of the service: asyncio's own, with bounds on a TLS connection's beginning and end.

uvicorn passes neither of these times on.
"""

import asyncio
from typing import Any

from .limits import Limits


class BoundedLoop(asyncio.SelectorEventLoop):
    """``uvicorn.Config(loop="profiler.service.loop:BoundedLoop")``, or ``asyncio.Runner(loop_factory=…)``."""

    handshake_seconds = Limits.request_seconds
    """Longest TLS handshake."""
    shutdown_seconds = 600.0
    """Longest time in which a client fetches the rest of what it was sent before the end. One that does not
    get on is cut off by the protocol long before; asyncio alone would cut off every one after 30 seconds."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        """As asyncio's, with the two times of this class."""
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", self.handshake_seconds)
            kwargs.setdefault("ssl_shutdown_timeout", self.shutdown_seconds)
        return await super().create_server(*args, **kwargs)
