# SPDX-License-Identifier: GPL-2.0-only
"""Clients that are slow, silent, large or gone: what each can hold of a real server is bounded."""

import gc
import logging
import re
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
from tests.service.serving import LARGE, Answer, Serving, read_answer, read_to_end, serving, until

MIB = 1024 * 1024
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#: Short, so that a test of each is short; a test that must not run into one uses the defaults.
HASTY = Limits(request_seconds=0.6, idle_seconds=1, write_seconds=0.5, linger_seconds=0.5)


def resident() -> int:
    """Bytes of this process, which is the server's too."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def is_forgotten(server: Serving) -> bool:
    """Whether nothing is left of any connection."""
    return server.listener.open == 0 and not server.server.server_state.connections


def trickle(server: Serving, first: bytes, rest: bytes) -> Answer | None:
    """Send *first*, then *rest* again and again; the answer, None for a closed connection."""
    with server.connect() as connection:
        started = time.monotonic()
        connection.sendall(first)
        connection.settimeout(0.05)
        found = b""
        while time.monotonic() - started < 20:
            try:
                connection.sendall(rest)
                chunk = connection.recv(65536)
                found += chunk
                if not chunk:
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("still connected after 20 s")
    if not found:
        return None
    head, _, body = found.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return Answer(int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (b"G", b"E"),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (GET + GET[:10], b"a"),
        (GET + b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", b"x"),
    ],
    ids=["headers", "method", "body", "chunks", "second request", "second request's body"],
)
def test_a_request_that_trickles_is_told_408_and_cut_off(first: bytes, rest: bytes) -> None:
    with serving(limits=HASTY) as server:
        answer = trickle(server, first, rest)
        assert answer
        if first.startswith(GET):
            assert answer.status == 200
            assert b"HTTP/1.1 408 " in answer.body
        else:
            assert answer.status == 408
            assert b"was not complete after 0.6 s" in answer.body
        until(lambda: is_forgotten(server), "nothing is left of it")


def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    with serving(limits=HASTY) as server:
        with server.connect() as connection:
            assert read_to_end(connection) == b""
        until(lambda: is_forgotten(server), "nothing is left of it")


def test_a_kept_connection_is_closed_when_idle_and_not_before() -> None:
    with serving(limits=HASTY) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert read_answer(connection).status == 200
            # Longer than a request may take: idling between two is no part of one.
            time.sleep(0.75)
        assert read_to_end(connection) == b""


def test_a_second_request_that_stops_is_cut_off_too() -> None:
    with serving(limits=HASTY) as server, server.connect() as connection:
        connection.sendall(GET + b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert [read_answer(connection).status for _ in range(2)] == [200, 408]


def test_a_body_never_finished_ends_an_answered_request_too() -> None:
    """The application does not read it; the answer is complete, and the rest of the body never is."""
    with serving(limits=HASTY) as server:
        answer = trickle(
            server, b"POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"
        )
        assert answer
        assert answer.status == 200
        until(lambda: is_forgotten(server), "nothing is left of it")


@pytest.mark.parametrize("form", ["one header", "many headers", "request line", "no end of line"])
def test_10_mb_of_headers_are_refused_without_growing(form: str) -> None:
    junk = b"a" * MIB
    piece = {
        "one header": b"X: " + junk,
        "many headers": b"X: a\r\n" * (MIB // 6),
        "request line": junk,
        "no end of line": junk,
    }[form]
    first = {"request line": b"GET /", "no end of line": b""}.get(form, b"GET / HTTP/1.1\r\nHost: a\r\n")
    with serving(limits=Limits(linger_seconds=10)) as server:
        assert server.get().status == 200
        gc.collect()
        before = resident()
        with ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(8)]
            for connection in connections:
                connection.sendall(first)
            most = before
            for _ in range(10):
                for connection in connections:
                    connection.sendall(piece)
                    most = max(most, resident())
            answers = [read_answer(connection) for connection in connections]
        for answer in answers:
            # A method or target of this length is no request line either.
            assert answer.status == 431
            assert "16384 bytes" in answer.problem()["detail"]
        assert server.seen == ["/"]
        # 80 MiB were sent; asyncio reads 256 KiB at a time.
        assert most - before < 8 * MIB
        until(lambda: is_forgotten(server), "nothing is left of them")


def test_headers_that_come_in_one_packet_are_refused_too() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
        assert read_answer(connection).status == 431
        assert server.seen == []


def test_a_client_that_never_stops_is_cut_off() -> None:
    limits = Limits(linger_seconds=60)
    with serving(limits=limits) as server, server.connect() as connection, pytest.raises(ConnectionError):
        for _ in range(500):
            connection.sendall(b"a" * MIB)


@pytest.mark.parametrize("size", [65_536, 65_537, 10 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("wait_for_100", [False, True])
def test_a_body_is_bounded(size: int, chunked: bool, wait_for_100: bool) -> None:
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    expect = "Expect: 100-continue\r\n" if wait_for_100 else ""
    with serving(limits=Limits(linger_seconds=10)) as server, server.connect() as connection:
        connection.sendall(f"POST /body HTTP/1.1\r\nHost: a\r\n{expect}{how}\r\n\r\n".encode())
        if chunked:
            connection.sendall(b"%x\r\n" % size)
        connection.sendall(b"x" * size)
        if chunked:
            connection.sendall(b"\r\n0\r\n\r\n")
        answer = read_answer(connection)
        if size <= 65_536:
            assert (answer.status, answer.body) == (200, b'{"length":%d}' % size)
        else:
            assert answer.status == 413
            assert "65536 bytes" in answer.problem()["detail"]
            assert answer.headers["connection"] == "close"


def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n")
        assert read_answer(connection).status == 413


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"rubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"\r\n",
    ],
)
def test_what_is_no_request_is_told_400(request_bytes: bytes) -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(request_bytes)
        answer = read_answer(connection)
        assert answer.status == 400
        assert answer.problem()["title"] == "Bad Request"
        assert read_to_end(connection) == b""


def test_a_broken_body_after_the_answer_began_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        connection.sendall(b"zz\r\n")
        read_to_end(connection)
        until(lambda: is_forgotten(server), "nothing is left of it")
    assert "Traceback" not in caplog.text
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_an_upgrade_is_ignored_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, server.connect() as connection:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
        connection.sendall(head + b"websocket\r\n\r\n")
        assert read_answer(connection).status == 200
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_two_requests_at_once_are_both_answered() -> None:
    with serving() as server, server.connect() as connection:
        connection.sendall(GET + GET)
        answers = b""
        # Both may come in one piece.
        while answers.count(b"HTTP/1.1 200 ") < 2:
            piece = connection.recv(1 << 16)
            assert piece, answers
            answers += piece


def test_requests_sent_far_ahead_are_cut_off() -> None:
    """At once, not when the answers that it does not read have filled every buffer."""
    with serving(limits=Limits(write_seconds=120)) as server, server.connect() as connection:
        with pytest.raises(ConnectionError):
            for _ in range(100):
                connection.sendall(GET * 40_000)
        until(lambda: is_forgotten(server), "nothing is left of it")


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
