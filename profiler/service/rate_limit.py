# SPDX-License-Identifier: GPL-2.0-only
"""The toolkit's rate limit: one token bucket for all requests of all clients."""

import math
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from . import raw_problem
from .web_config import RateLimit


class RateLimiter:
    """ASGI middleware: 429 with Retry-After when the bucket is empty.

    :param limit: gives the limit as it is now, ``None`` for none; one that changes starts full.
    :param clock: seconds, never going back.
    """

    def __init__(
        self, app: ASGIApp, limit: Callable[[], RateLimit | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._limit = limit
        self._clock = clock
        self._used: RateLimit | None = None
        self._tokens = 0.0
        self._at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        seconds = self.wait() if scope["type"] == "http" else 0.0
        if not seconds:
            await self._app(scope, receive, send)
            return
        body = raw_problem.document(429, "Too many requests for rate_limit of the web config file; wait.")
        headers = [*raw_problem.headers(body), (b"retry-after", b"%d" % math.ceil(seconds))]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def wait(self) -> float:
        """Take a token; seconds until there is one, 0 when it was taken."""
        limit, now = self._limit(), self._clock()
        if limit is None:
            return 0.0
        if limit != self._used:
            self._used, self._tokens, self._at = limit, float(limit.burst), now
        self._tokens = min(self._tokens + (now - self._at) / limit.interval, float(limit.burst))
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) * limit.interval
        self._tokens -= 1
        return 0.0
