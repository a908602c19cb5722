# SPDX-License-Identifier: GPL-2.0-only
"""Problem documents (RFC 9457) where there is no application yet to make them: protocol and middleware."""

import json
from http import HTTPStatus

MEDIA_TYPE = b"application/problem+json"
TOO_MANY_CONNECTIONS = "Too many connections are open; try again, or raise the bound."


def document(status: int, detail: str) -> bytes:
    """The body. *detail*: one sentence, with how to go on."""
    members = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps(members).encode() + b"\n"


def headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that go with it; nothing may keep it."""
    return [
        (b"content-type", MEDIA_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
