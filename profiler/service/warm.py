# SPDX-License-Identifier: GPL-2.0-only
"""One request of every kind, answered in memory before the service is open.

Frameworks import parts of themselves at the first request that needs them; by then the process may be nobody,
who cannot read the folder they lie in.
"""

from starlette.types import ASGIApp, Message

_REQUESTS = (
    ("GET", "/", b""),
    ("HEAD", "/docs", b""),
    ("GET", "/-/healthy", b""),
    ("GET", "/-/ready", b""),
    ("GET", "/api/v1/snapshot", b""),
    ("GET", "/api/v1/stream", b""),
    ("GET", "/openapi.json", b""),
    ("POST", "/api/v1/profile", b"seconds=nonsense"),
    ("GET", "/no/such/path", b""),
)
_ACCEPTED = (
    b"",
    b"application/openmetrics-text; version=1.0.0",
    b"application/openmetrics-text; version=2.0.0",
)


async def warm(app: ASGIApp, telemetry_path: str) -> None:
    """Answer each; what the answers say is of no interest."""
    for method, path, query in _REQUESTS:
        await _request(app, method, path, query)
    for accept in _ACCEPTED:
        await _request(app, "GET", telemetry_path, b"", (b"accept", accept), (b"accept-encoding", b"gzip"))


async def _request(app: ASGIApp, method: str, path: str, query: bytes, *headers: tuple[bytes, bytes]) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "scheme": "http",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
