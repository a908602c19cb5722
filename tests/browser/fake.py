# SPDX-License-Identifier: GPL-2.0-only
"""A service for the page alone: the files as they are, and the answers of a run. It can die and come back."""

import json
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from profiler.service.page import files
from tests.browser.runs import TICK_SECONDS, Run

PREFIX = "/behind/a/proxy/"
SECURITY = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Service:
    """``run``: what it tells of; ``None`` while attaching. ``asked``: paths asked for, in order."""

    def __init__(self, run: Run | None) -> None:
        self.run = run
        self.asked: list[str] = []
        self.changes: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._server: _Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{PREFIX}"

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die: no listener, every connection cut."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.cut()
            server.server_close()

    def publish(self, lost: bool = False) -> None:
        """Tell the last tick to all streams; ``lost``: as if it had not reached them."""
        assert self.run
        with self._changed:
            if not lost:
                self._events.append(self.run.event())
            self._changed.notify_all()

    def ready(self, run: Run) -> None:
        """Attached: from now on this run is told of."""
        with self._changed:
            self.run = run

    def times_asked(self, path: str) -> int:
        return self.asked.count(PREFIX + path)

    def hello(self) -> dict[str, Any]:
        run = self.run
        state = "attaching" if run is None else "ready" if run.health()["ready"] else "degraded"
        seq, session = (run.seq, run.session) if run else (0, "not yet")
        return {"session": session, "seq": seq, "tick_seconds": TICK_SECONDS, "state": state}

    def stream(self, handler: "_Handler") -> None:
        """Events until the connection is cut."""
        with self._changed:
            told = len(self._events)
            handler.event("hello", self.hello())
        while True:
            with self._changed:
                if len(self._events) == told:
                    self._changed.wait(timeout=1)
                found, told = self._events[told:], len(self._events)
            for event in found:
                handler.event("tick", event, event["seq"])
            handler.wfile.write(b": ping\n\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        self.open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests ask ``Service.asked``."""

    def do_GET(self) -> None:
        service = self.server.service
        service.asked.append(self.path)
        path = self.path.removeprefix(PREFIX) if self.path.startswith(PREFIX) else None
        found = files()
        if path in found:
            kind, body = found[path]
            self.answer(HTTPStatus.OK, kind, body)
        elif path == "api/v1/history":
            self.history()
        elif path == "api/v1/stream":
            self.send_response(HTTPStatus.OK)
            for name, value in (
                SECURITY | {"Content-Type": "text/event-stream", "Connection": "close"}
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True
            service.stream(self)
        else:
            self.problem(HTTPStatus.NOT_FOUND, f"There is nothing at {self.path}.")

    def history(self) -> None:
        service = self.server.service
        if service.run is None:
            self.problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "The probes are being attached.", {"Retry-After": "1"}
            )
        else:
            body = json.dumps(service.run.history() | service.changes).encode()
            self.answer(HTTPStatus.OK, "application/json", body)

    def problem(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        body = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
        self.answer(status, "application/problem+json", json.dumps(body).encode(), headers)

    def answer(
        self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        length = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in (SECURITY | length | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def event(self, name: str, data: dict[str, Any], number: int | None = None) -> None:
        identity = f"id: {number}\n" if number is not None else ""
        self.wfile.write(f"event: {name}\n{identity}data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()
