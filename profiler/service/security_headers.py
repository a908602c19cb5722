# SPDX-License-Identifier: GPL-2.0-only
"""Headers that tell a browser what a page from here may do."""

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware: what the application sets itself counts, then the config, then :data:`DEFAULTS`.

    :param configured: gives the headers of the web config file as they are now; an empty one unsets a
        default.
    """

    def __init__(self, app: ASGIApp, configured: Callable[[], Mapping[str, str]]) -> None:
        self._app = app
        self._configured = configured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                present = {bytes(name).lower() for name, _ in own}
                wanted = {name.lower(): value for name, value in DEFAULTS.items()}
                wanted |= {name.lower(): value for name, value in self._configured().items()}
                added = [
                    (name.encode(), value.encode())
                    for name, value in wanted.items()
                    if value and name.encode() not in present
                ]
                message = {**message, "headers": own + added}
            await send(message)

        await self._app(scope, receive, with_headers)
