# SPDX-License-Identifier: GPL-2.0-only
"""HEAD on whatever answers GET (RFC 9110, 9.3.2): the same headers, and no body."""

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Answered(Exception):  # noqa: N818 - ends the application, as an answer that nobody reads
    pass


class AnswerHead:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer a GET, and stop it once it has begun."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                raise _Answered  # a stream would never end by itself

        with suppress(_Answered):
            await self._app({**scope, "method": "GET"}, receive, send_head)
