# SPDX-License-Identifier: GPL-2.0-only
"""Basic authentication, headers and rate limit of a real server."""

import asyncio
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from profiler.service.passwords import Passwords, TooBusyError
from profiler.service.rate_limit import RateLimiter
from profiler.service.security_headers import DEFAULTS
from profiler.service.web_config import RateLimit
from tests.service.serving import Serving, basic, read_answer, serving, until


def hashed(password: bytes, cost: int = 4) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode()


def configure(folder: Path, **users: str) -> Path:
    path = folder / "web.yml"
    new = folder / "web.new"
    new.write_text("basic_auth_users:\n" + "".join(f"  {name}: {one}\n" for name, one in users.items()))
    new.rename(path)
    return path


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The same for tests that change nothing."""
    folder = tmp_path_factory.mktemp("steady")
    with serving(configure(folder, alice=hashed(b"right"), bob=hashed(b"other"))) as server:
        yield server


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Serving]:
    """A server on which alice may read."""
    with serving(configure(tmp_path, alice=hashed(b"right"), bob=hashed(b"other"))) as server:
        yield server


def test_the_right_password_is_let_in(steady: Serving) -> None:
    assert steady.get(user="alice:right").status == 200


@pytest.mark.parametrize(
    "user",
    [
        None,
        "alice:wrong",
        "alice:",
        ":right",
        "alice",
        "bob:right",
        "carol:right",
        "alice:right ",
        "Alice:right",
    ],
)
@pytest.mark.parametrize("path", ["/", "/stream", "/openapi.json", "/not-there", "//", "/%2e%2e/"])
def test_everybody_else_is_refused_everywhere_with_a_problem(
    steady: Serving, user: str | None, path: str
) -> None:
    before = len(steady.seen)
    answer = steady.get(path, user)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert answer.problem()["title"] == "Unauthorized"
    assert len(steady.seen) == before


@pytest.mark.parametrize(
    "value",
    [
        "Bearer abc",
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Basic /////w==",
        "basic  " + basic("alice:right")[6:] + "x",
        "Basic " + "A" * 8000,
    ],
)
def test_headers_that_are_no_credentials_are_refused(steady: Serving, value: str) -> None:
    with steady.connect() as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {value}\r\n\r\n".encode())
        assert read_answer(connection).status == 401


def test_two_authorizations_are_none(steady: Serving) -> None:
    line = f"Authorization: {basic('alice:right')}\r\n"
    with steady.connect() as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{line}{line}\r\n".encode())
        assert read_answer(connection).status == 401


def test_the_scheme_may_be_in_lower_case(steady: Serving) -> None:
    with steady.connect() as connection:
        value = basic("alice:right").replace("Basic", "basic")
        connection.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {value}\r\n\r\n".encode())
        assert read_answer(connection).status == 200


def test_head_is_refused_without_a_body(steady: Serving) -> None:
    answer = steady.get(method="HEAD")
    assert (answer.status, answer.body) == (401, b"")


def test_names_and_passwords_are_utf_8(tmp_path: Path) -> None:
    with serving(configure(tmp_path, zoé=hashed("pässword:x".encode()))) as server:
        assert server.get(user="zoé:pässword:x").status == 200


def test_a_password_longer_than_bcrypt_looks_at(tmp_path: Path) -> None:
    """htpasswd and Go look at 72 bytes; the library would raise."""
    with serving(configure(tmp_path, alice=hashed(b"x" * 72))) as server:
        assert server.get(user="alice:" + "x" * 100).status == 200
        assert server.get(user="alice:" + "x" * 71).status == 401


def test_users_follow_the_file(alice: Serving, tmp_path: Path) -> None:
    assert alice.get(user="alice:right").status == 200
    configure(tmp_path, alice=hashed(b"new"), carol=hashed(b"hers"))
    until(lambda: alice.file.reloads, "the change is taken")
    assert alice.get(user="alice:right").status == 401
    assert alice.get(user="bob:other").status == 401
    assert alice.get(user="alice:new").status == 200
    assert alice.get(user="carol:hers").status == 200


def test_a_broken_change_locks_nobody_out_and_lets_nobody_in(alice: Serving, tmp_path: Path) -> None:
    configure(tmp_path, alice="no-hash", mallory=hashed(b"x"))
    until(lambda: alice.failures, "it was reported")
    assert "basic_auth_users.alice is no bcrypt hash" in alice.failures[0]
    assert alice.get(user="alice:right").status == 200
    assert alice.get(user="mallory:x").status == 401


@pytest.mark.parametrize("text", ["", "rate_limit: {}\n", "basic_auth_users: {}\n"])
def test_a_file_being_written_never_opens_the_door(alice: Serving, tmp_path: Path, text: str) -> None:
    (tmp_path / "web.yml").write_text(text)
    until(lambda: alice.failures, "it was reported")
    assert "no basic_auth_users any more; restart to serve everybody." in alice.failures[0]
    assert alice.get().status == 401


def test_an_open_stream_ends_when_its_user_is_taken_out(alice: Serving, tmp_path: Path) -> None:
    with alice.connect() as connection:
        head = f"GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: {basic('alice:right')}\r\n\r\n"
        connection.sendall(head.encode())
        assert b"200 OK" in connection.recv(65536)
        configure(tmp_path, bob=hashed(b"other"))
        found = b""

        def has_ended() -> bool:
            nonlocal found
            found += connection.recv(65536)
            return found.endswith(b"\r\n0\r\n\r\n")

        until(has_ended, "the stream has ended")
        until(lambda: "stream ended" in alice.seen, "the application's part has ended too")


def test_an_open_stream_outlives_a_change_of_others(alice: Serving, tmp_path: Path) -> None:
    first = alice.file.current.users["alice"].decode()
    with alice.connect() as connection:
        head = f"GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: {basic('alice:right')}\r\n\r\n"
        connection.sendall(head.encode())
        configure(tmp_path, alice=first)
        until(lambda: alice.file.reloads, "the change is taken")
        found = b""
        while found.count(b": ping") < 10:
            found += connection.recv(65536)
            assert not found.endswith(b"0\r\n\r\n")


def test_a_password_is_computed_once_however_often_it_is_sent() -> None:
    async def ask() -> int:
        passwords = Passwords()
        users = {"alice": hashed(b"right").encode()}
        first = await asyncio.gather(*(passwords.right(users, "alice", b"right") for _ in range(50)))
        later = [await passwords.right(users, "alice", b"right") for _ in range(200)]
        assert all(first + later)
        return passwords.checks

    assert asyncio.run(ask()) == 1


def test_a_wrong_password_is_computed_each_time() -> None:
    async def ask() -> int:
        passwords = Passwords()
        users = {"alice": hashed(b"right").encode()}
        for _ in range(3):
            assert not await passwords.right(users, "alice", b"wrong")
            assert not await passwords.right(users, "nobody", b"right")
        return passwords.checks

    assert asyncio.run(ask()) == 6


def test_few_checks_wait_and_the_event_loop_runs_on() -> None:
    async def flood() -> tuple[int, int]:
        passwords = Passwords(waiting=4)
        users = {"alice": hashed(b"right", 8).encode()}
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        tried = (passwords.right(users, "alice", b"%d" % one) for one in range(100))
        results = await asyncio.gather(*tried, return_exceptions=True)
        counting.cancel()
        assert all(one is False or isinstance(one, TooBusyError) for one in results)
        return results.count(False), turns

    done, turns = asyncio.run(flood())
    assert done == 4
    assert turns > 100


def test_a_flood_of_wrong_passwords_is_told_to_come_back(tmp_path: Path) -> None:
    with serving(configure(tmp_path, alice=hashed(b"right", 10))) as server:
        assert server.get(user="alice:right").status == 200
        waiting: list[socket.socket] = []
        try:
            for number in range(40):
                waiting.append(server.connect())
                head = f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {basic(f'alice:{number}')}\r\n\r\n"
                waiting[-1].sendall(head.encode())
            # Who is known waits behind nobody.
            assert server.get(user="alice:right").status == 200
            answers = [read_answer(one) for one in waiting]
        finally:
            for one in waiting:
                one.close()
        assert {one.status for one in answers} == {401, 503}
        busy = next(one for one in answers if one.status == 503)
        assert busy.problem()["detail"]
        assert busy.headers["retry-after"] == "1"


def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    """By the time of the process, which the load of the machine does not change."""
    users = {"alice": hashed(b"right", 10).encode()}

    async def measure(name: str) -> float:
        passwords = Passwords()
        times = []
        for number in range(5):
            before = time.process_time()
            assert not await passwords.right(users, name, b"%d" % number)
            times.append(time.process_time() - before)
        return statistics.median(times)

    known, unknown = asyncio.run(measure("alice")), asyncio.run(measure("nobody"))
    assert known > 0.01
    assert 0.5 < unknown / known < 2


def test_an_unknown_name_costs_the_same_each_time_where_costs_differ() -> None:
    users = {"cheap": hashed(b"a", 4).encode(), "dear": hashed(b"b", 5).encode()}
    passwords = Passwords()
    for name in ("x", "y", "z"):
        assert len({passwords.stand_in(users, name) for _ in range(5)}) == 1
    assert {passwords.stand_in(users, str(number)) for number in range(50)} == set(users.values())


def test_an_unknown_name_is_refused_with_the_password_of_its_stand_in() -> None:
    async def ask() -> None:
        passwords = Passwords()
        users = {"alice": hashed(b"right").encode()}
        for _ in range(2):
            assert not await passwords.right(users, "nobody", b"right")

    asyncio.run(ask())


def test_security_headers_are_on_every_answer(steady: Serving) -> None:
    for path, user in (("/", "alice:right"), ("/", None), ("/nothing", "alice:right"), ("/stream?x", None)):
        answer = steady.get(path, user)
        assert {name: answer.headers.get(name.lower()) for name in DEFAULTS} == DEFAULTS
        assert "server" not in answer.headers
    assert "unsafe" not in DEFAULTS["Content-Security-Policy"]


def test_the_config_overrides_and_unsets_headers_without_restart(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {X-Frame-Options: sameorigin, X-XSS-Protection: '0'}}")
    with serving(path) as server:
        headers = server.get().headers
        assert (headers["x-frame-options"], headers["x-xss-protection"]) == ("sameorigin", "0")
        path.write_text(
            "http_server_config: {headers: {X-Frame-Options: '', Content-Security-Policy: sandbox}}"
        )
        until(lambda: server.file.reloads, "the change is taken")
        headers = server.get().headers
        assert "x-frame-options" not in headers
        assert headers["content-security-policy"] == "sandbox"


def test_a_policy_of_the_application_s_own_counts(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {Content-Security-Policy: sandbox}}")
    with serving(path) as server:
        assert server.get("/own-policy").headers["content-security-policy"] == "default-src 'none'"


def test_the_rate_limit_refuses_with_the_time_to_wait(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 1h, burst: 3}")
    with serving(path) as server:
        assert [server.get().status for _ in range(3)] == [200] * 3
        answer = server.get()
        assert answer.status == 429
        assert answer.problem()["title"] == "Too Many Requests"
        assert 3500 < int(answer.headers["retry-after"]) <= 3600
        path.write_text("rate_limit: {interval: 0}")
        until(lambda: server.file.reloads, "the change is taken")
        assert server.get().status == 200


def test_the_bucket_fills_up_to_its_burst() -> None:
    now = 100.0
    limiter = RateLimiter(lambda *_: asyncio.sleep(0), lambda: RateLimit(10.0, 2), lambda: now)
    assert [limiter.wait(), limiter.wait(), limiter.wait()] == [0, 0, 10]
    now = 104.0
    assert limiter.wait() == pytest.approx(6)
    now = 110.0
    assert [limiter.wait(), limiter.wait()] == [0, pytest.approx(10)]
    now = 10_000.0
    assert [limiter.wait(), limiter.wait(), limiter.wait()] == [0, 0, 10]
