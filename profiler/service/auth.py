# SPDX-License-Identifier: GPL-2.0-only
"""Basic authentication (RFC 7617) of everything the application serves."""

import base64
import binascii
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import raw_problem
from .passwords import Passwords, TooBusyError

_CHALLENGE = (b"www-authenticate", b'Basic realm="uffd-profiler", charset="UTF-8"')


class BasicAuth:
    """ASGI middleware; without users it lets everybody through.

    A stream that is open when its user is taken out, or gets another password, ends with its next part.

    :param users: gives name -> bcrypt hash as they are now; called for every request.
    """

    def __init__(
        self, app: ASGIApp, users: Callable[[], Mapping[str, bytes]], passwords: Passwords | None = None
    ) -> None:
        self._app = app
        self._users = users
        self._passwords = passwords or Passwords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        users = self._users()
        if scope["type"] == "lifespan" or not users:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served")
        given = _credentials(scope)
        try:
            allowed = given is not None and await self._passwords.right(users, *given)
        except TooBusyError:
            detail = "Too many passwords are being checked; try again."
            await _refuse(send, 503, detail, (b"retry-after", b"1"))
            return
        if given is None or not allowed:
            detail = "Name and password are needed; send those of a user of the web config file."
            await _refuse(send, 401, detail, _CHALLENGE)
            return
        name = given[0]
        await self._app(scope, receive, self._while_allowed(send, name, users[name]))

    def _while_allowed(self, send: Send, name: str, hashed: bytes) -> Send:
        sized = ended = False

        async def guarded(message: Message) -> None:
            nonlocal sized, ended
            if message["type"] == "http.response.start":
                sized = any(key.lower() == b"content-length" for key, _ in message.get("headers", ()))
            elif message.get("more_body") and not sized and self._users().get(name) != hashed:
                # The server tells the application that the client has gone, and so ends the stream.
                if not ended:
                    ended = True
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            if not ended:
                await send(message)

        return guarded


def _credentials(scope: Scope) -> tuple[str, bytes] | None:
    """Name and password of the request, ``None`` when there are none that can be read."""
    values = [value for key, value in scope["headers"] if key == b"authorization"]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


async def _refuse(send: Send, status: int, detail: str, header: tuple[bytes, bytes]) -> None:
    body = raw_problem.document(status, detail)
    headers = [*raw_problem.headers(body), header]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
