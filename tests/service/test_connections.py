# SPDX-License-Identifier: GPL-2.0-only
"""Clients that do not read, vanish, or are too many: what all of them hold of a real server is bounded."""

import socket
import ssl
import struct
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from profiler.service.limits import Limits
from profiler.service.listener import BoundedListener
from tests.service.certificates import Authority
from tests.service.clients import GET, HASTY, MIB, is_forgotten
from tests.service.serving import LARGE, Serving, read_answer, read_to_end, serving, until


def small_window(server: Serving, tls: ssl.SSLContext | None = None) -> socket.socket:
    """A connection whose client takes little before it reads."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(30)
    raw.connect(("127.0.0.1", server.port))
    return raw if tls is None else tls.wrap_socket(raw, server_hostname="127.0.0.1")


def without_the_kernel(server: Serving, tls: ssl.SSLContext | None = None) -> socket.socket:
    """The same to a server that has not told the kernel to cut such clients off: what is left is our own."""
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
    return small_window(server, tls)


def with_tls(folder: Path) -> tuple[Path, ssl.SSLContext]:
    authority = Authority()
    authority.issue().write(folder, "server")
    config = folder / "web.yml"
    config.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    return config, ssl.create_default_context(cadata=authority.certificate.decode())


@pytest.mark.parametrize("path", ["/large", "/flood"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, path: str, tls: bool) -> None:
    config, client = with_tls(tmp_path) if tls else (None, None)
    with serving(config, HASTY) as server, without_the_kernel(server, client) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        until(lambda: server.listener.open, "it is connected")
        until(lambda: is_forgotten(server), "the connection is cut off")
        assert len(read_to_end(connection)) < LARGE


def test_a_client_that_closes_without_reading_is_forgotten() -> None:
    """It asked for the connection to be closed: then nothing but the end is left to be done."""
    with serving(limits=HASTY) as server, without_the_kernel(server) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        until(lambda: server.listener.open, "it is connected")
        until(lambda: is_forgotten(server), "the connection is cut off")


def test_a_tls_client_that_never_says_goodbye_is_forgotten(tmp_path: Path) -> None:
    config, client = with_tls(tmp_path)
    with serving(config, HASTY) as server, server.connect(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        until(lambda: server.seen, "it was answered")
        until(lambda: is_forgotten(server), "the connection is cut off")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("connection_header", ["close", "keep-alive"])
def test_a_client_that_reads_slowly_gets_everything(
    tmp_path: Path, tls: bool, connection_header: str
) -> None:
    """It takes many times as long as a client that reads nothing is given."""
    config, client = with_tls(tmp_path) if tls else (None, None)
    limits = Limits(write_seconds=0.5, linger_seconds=0.5)
    head = f"GET /large HTTP/1.1\r\nHost: a\r\nConnection: {connection_header}\r\n\r\n"
    with serving(config, limits) as server, small_window(server, client) as connection:
        connection.sendall(head.encode())
        found = 0
        started = time.monotonic()
        while found < LARGE:
            chunk = connection.recv(MIB)
            assert chunk, f"cut off after {found} bytes and {time.monotonic() - started} s"
            found += len(chunk)
            if time.monotonic() - started < 3:
                time.sleep(0.02)


def test_a_client_that_vanished_is_noticed_by_the_kernel() -> None:
    """No packet is lost on loopback, so what is tested is what the kernel was told."""
    with serving(limits=Limits(write_seconds=7)) as server, server.connect():
        until(lambda: server.server.server_state.connections, "it is connected")
        (connection,) = server.server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 14_000


def test_a_client_that_resets_is_forgotten() -> None:
    with serving() as server:
        connection = server.connect()
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        until(lambda: is_forgotten(server), "nothing is left of it")
        until(lambda: "stream ended" in server.seen, "the application's part has ended")


def test_connections_above_the_bound_are_told_503_and_those_above_that_are_closed() -> None:
    limits = Limits(connections=4, spare=2)
    with serving(limits=limits) as server, ExitStack() as stack:
        served = [stack.enter_context(server.connect()) for _ in range(4)]
        until(lambda: len(server.server.server_state.connections) == 4, "four are connected")
        spare = [stack.enter_context(server.connect()) for _ in range(2)]
        until(lambda: len(server.server.server_state.connections) == 6, "six are connected")
        for connection in spare:
            connection.sendall(GET)
            answer = read_answer(connection)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert "Too many connections" in answer.problem()["detail"]
            # As long as it is heard out, its place is taken.
            until(lambda: read_to_end(connection) == b"", "it is closed")  # noqa: B023
        assert server.seen == []
        for connection in served:
            connection.sendall(GET)
            assert read_answer(connection).status == 200
        for connection in served:
            connection.close()
        until(lambda: is_forgotten(server), "all have gone")
        assert server.get().status == 200


def test_connections_above_every_bound_cost_nothing() -> None:
    limits = Limits(connections=4, spare=2)
    with serving(limits=limits) as server, ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(server.connect())
        until(lambda: server.listener.open == 6, "six are connected")
        for number in range(20):
            with server.connect() as refused:
                answer = read_answer(refused)
                assert answer.status == 503
                assert answer.headers["retry-after"] == "1"
                assert "Too many connections" in answer.problem()["detail"]
            assert server.listener.refused == number + 1
        assert server.listener.open == 6


def test_a_tls_handshake_counts_as_a_connection(tmp_path: Path) -> None:
    config, client = with_tls(tmp_path)
    with serving(config, Limits(connections=3, spare=1)) as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(4)]
        until(lambda: server.listener.open == 4, "four are connected")
        with server.connect() as refused:
            assert read_to_end(refused) == b""
        for connection in silent:
            connection.close()
        until(lambda: server.listener.open == 0, "they are forgotten")
        assert server.get(tls=client).status == 200


def test_handshakes_that_fail_are_forgotten(tmp_path: Path) -> None:
    config, client = with_tls(tmp_path)
    with serving(config, Limits(connections=3, spare=1)) as server:
        for _ in range(20):
            with server.connect() as connection:
                connection.sendall(GET)
                read_to_end(connection)
        until(lambda: server.listener.open == 0, "they are forgotten")
        assert server.get(tls=client).status == 200


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_end_waits_for_no_silent_client(tmp_path: Path, tls: bool) -> None:
    config, client = with_tls(tmp_path) if tls else (None, None)
    with serving(config) as server, ExitStack() as stack:
        stack.enter_context(server.connect(client)).sendall(GET[:5])
        stack.enter_context(server.connect(client)).sendall(GET)
        stack.enter_context(small_window(server, client)).sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: server.seen, "one was answered")
        until(lambda: len(server.server.server_state.connections) == 3, "three are connected")
        ended = threading.Event()
        started = time.monotonic()
        server.server.should_exit = True
        until(lambda: not server.server.server_state.connections, "all are closed", 10)
        ended.set()
        assert time.monotonic() - started < 5


def test_an_answer_on_its_way_is_finished_at_the_end() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        until(lambda: server.server.server_state.tasks, "it is being answered")
        server.server.should_exit = True
        assert read_answer(connection).status == 200


def test_an_answer_waits_for_no_delayed_acknowledgement() -> None:
    """Its head and its body are two writes, 40 ms apart where Nagle's algorithm holds the second back."""
    with (
        BoundedListener(socket.create_server(("127.0.0.1", 0)), Limits()) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
