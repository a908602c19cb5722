# SPDX-License-Identifier: GPL-2.0-only
"""A real server on loopback, in a thread, and clients that may misbehave."""

import asyncio
import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from profiler.service.config_file import ConfigFile
from profiler.service.http_server import listeners, new_loop, uvicorn_config
from profiler.service.limits import Limits
from profiler.service.listener import BoundedListener

#: Generous: the machine may be three times slower, and busy.
DEADLINE = 30.0
#: What /large answers with; more than any socket buffer of this test takes.
LARGE = 24 * 1024 * 1024


def until(true: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Poll; fail with *what* when it has not become true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def make_app(seen: list[str]) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def root(request: Request) -> dict[str, str]:
        seen.append(request.url.path)
        return {"answer": "here"}

    @app.post("/body")
    async def body(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @app.post("/deaf")
    async def deaf() -> dict[str, str]:
        await asyncio.sleep(0.2)
        return {"answer": "here"}

    @app.get("/own-policy")
    async def own_policy() -> Response:
        return Response("x", headers={"Content-Security-Policy": "default-src 'none'"})

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def events() -> Any:
            try:
                while True:
                    yield b": ping\n\n"
                    await asyncio.sleep(0.05)
            finally:
                seen.append("stream ended")

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/flood")
    async def flood() -> StreamingResponse:
        async def events() -> Any:
            while True:
                yield b": ping\n\n" * 10_000
                # uvicorn does not wait for a client that has gone.
                await asyncio.sleep(0)

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


@dataclass
class Serving:
    port: int
    file: ConfigFile
    listener: BoundedListener
    server: uvicorn.Server
    failures: list[str]
    seen: list[str] = field(default_factory=list)

    def connect(self, tls: ssl.SSLContext | None = None, timeout: float = DEADLINE) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout)
        if tls is None:
            return raw
        try:
            return tls.wrap_socket(raw, server_hostname="127.0.0.1")
        except BaseException:
            raw.close()
            raise

    def get(
        self, path: str = "/", user: str | None = None, tls: ssl.SSLContext | None = None, method: str = "GET"
    ) -> "Answer":
        """One request on a connection of its own; *user* is ``name:password``."""
        headers = {} if user is None else {"Authorization": basic(user)}
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        client.sock = self.connect(tls)
        try:
            client.request(method, path, headers=headers)
            return Answer.of(client.getresponse())
        finally:
            client.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> "Answer":
        headers = {key.lower(): value for key, value in response.getheaders()}
        # A stream has no end to be waited for.
        body = b"" if response.length is None else response.read()
        return cls(response.status, headers, body)

    def problem(self) -> dict[str, Any]:
        """The problem document, after a look at its form."""
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert set(found) == {"type", "title", "status", "detail"}
        return found


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


def read_answer(sock: socket.socket) -> Answer:
    """The next answer on a connection."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return Answer.of(response)


def read_to_end(sock: socket.socket) -> bytes:
    """Everything until the server closes, by whatever means; TimeoutError when it does not."""
    found = b""
    try:
        while chunk := sock.recv(65536):
            found += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    return found


@contextmanager
def serving(web_config: Path | None = None, limits: Limits | None = None) -> Iterator[Serving]:
    """The whole stack, its config file looked at ten times a second."""
    limits = limits or Limits()
    failures: list[str] = []
    seen: list[str] = []
    file = ConfigFile(web_config, on_failure=failures.append, interval=0.1, retry=1.0)
    config = uvicorn_config(make_app(seen), file, limits)
    bound = socket.create_server(("127.0.0.1", 0))
    (listener,) = listeners([bound], config, limits)
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: new_loop(limits)) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, name="server")
    port = listener.getsockname()[1]
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "the server has started")
        file.start()
        assert isinstance(listener, BoundedListener)
        yield Serving(port, file, listener, server, failures, seen)
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
        file.close()
        assert not thread.is_alive(), "the server has ended"
        assert not server.server_state.tasks
