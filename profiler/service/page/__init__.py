# SPDX-License-Identifier: GPL-2.0-only
"""The live page: static files of one origin, which ask the service for everything that they show.

The page reads ``api/v1/history`` once and ``api/v1/stream`` from then on. It needs nothing else: no
network, no build step; ``Content-Security-Policy: default-src 'self'`` holds for it.
"""

from html import escape
from importlib.resources import files as _resources

INDEX = ""
"""Path of the page itself, relative to where the service is mounted."""

_STATIC = "static/"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _read() -> dict[str, tuple[str, bytes]]:
    found: dict[str, tuple[str, bytes]] = {}
    for entry in sorted(_resources(__package__).iterdir(), key=lambda e: e.name):
        kind = _TYPES.get(entry.name[entry.name.rfind(".") :])
        if kind:
            path = INDEX if entry.name == "index.html" else _STATIC + entry.name
            found[path] = (kind, entry.read_bytes())
    return found


# Read with the module: later the process may be nobody, who may not.
_FILES = _read()


def files(telemetry_path: str = "/metrics") -> dict[str, tuple[str, bytes]]:
    """Everything to be served: path relative to ``/`` → content type, bytes. The page itself is at ``""``.

    :param telemetry_path: where the metrics are, for the link at the foot of the page.
    """
    kind, page = _FILES[INDEX]
    link = escape(telemetry_path.removeprefix("/")).encode()
    return _FILES | {INDEX: (kind, page.replace(b'href="metrics"', b'href="' + link + b'"'))}
