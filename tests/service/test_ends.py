# SPDX-License-Identifier: GPL-2.0-only
"""However the service ends, it ends soon, answers what it began, and leaves nothing attached."""

import json
import os
import random
import re
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.bpf_objects import ids, leftovers, settled
from tests.service.running import PATIENCE, Running, running

KILLS = 10


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def test_sigterm_ends_it_within_two_seconds_with_streams_open(tmp_path: Path) -> None:
    before = ids()
    with running(tmp_path / "log", "--tick=1") as service:
        with socket.create_connection(("127.0.0.1", service.port)) as stream:
            stream.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"event: hello" in stream.recv(1 << 16) + stream.recv(1 << 16)
            assert service.end() < 2
            stream.settimeout(5)
            while stream.recv(1 << 16):
                pass
        assert service.process.returncode == 0
    assert settled(before), leftovers(before)


def test_an_answer_under_way_is_finished(tmp_path: Path) -> None:
    request = b"POST /api/v1/profile?seconds=0.7 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    with (
        running(tmp_path / "log", "--tick=1") as service,
        socket.create_connection(("127.0.0.1", service.port), PATIENCE) as asking,
    ):
        asking.sendall(request)
        # Asked after it and answered, so the profile has begun.
        assert service.get("/-/healthy").status == 200
        service.end()
        answer = b"".join(iter(lambda: asking.recv(1 << 16), b""))
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["schema"] == "uffd-profiler/profile/2"


def test_sigterm_while_attaching(tmp_path: Path) -> None:
    before = ids()
    service = Running(tmp_path / "log")
    service.wait_listening()
    took = service.end()
    assert "level=info" in service.said()
    assert "Traceback" not in service.said()
    assert service.process.returncode == 0
    assert took < 2
    assert settled(before), leftovers(before)


def test_not_ready_while_attaching(tmp_path: Path) -> None:
    """The attaching child is held back for as long as it takes to ask."""
    service = Running(tmp_path / "log")
    try:
        deadline = time.monotonic() + PATIENCE
        while not (children := _children(service.pid)):
            assert time.monotonic() < deadline
        os.kill(children[0], signal.SIGSTOP)
        service.wait_listening()
        assert "attached" in service.get("/-/ready").problem(503)
        assert "attached" in service.get("/api/v1/snapshot").problem(503)
        assert service.get("/-/healthy").status == 200
        early = service.get("/metrics").text
        assert "uffd_profiler_ready 0.0" in early
        assert "uffd_page_fault" not in early
        assert service.status()["Uid"].split() == ["65534"] * 4
        os.kill(children[0], signal.SIGCONT)
        service.wait_ready()
        assert service.figure("uffd_profiler_ready") == 1
    finally:
        service.end(signal.SIGKILL)


def test_the_attaching_child_is_killed(tmp_path: Path) -> None:
    before = ids()
    service = Running(tmp_path / "log")
    deadline = time.monotonic() + PATIENCE
    while not (children := _children(service.pid)):
        assert time.monotonic() < deadline
    os.kill(children[0], signal.SIGKILL)
    assert service.process.wait(PATIENCE) == 4
    assert "died before" in service.said()
    assert "Traceback" not in service.said()
    assert settled(before), leftovers(before)


def test_the_server_is_killed_at_any_moment(tmp_path: Path) -> None:
    before = ids()
    begun = time.monotonic()
    with running(tmp_path / "log"):
        ready_after = time.monotonic() - begun
    chance = random.Random(61)  # noqa: S311
    for turn in range(KILLS):
        service = Running(tmp_path / f"log{turn}")
        time.sleep(chance.uniform(0, 1.3 * ready_after))
        service.end(signal.SIGKILL)
    assert settled(before, 30), leftovers(before)


@pytest.mark.parametrize("wrong", ["127.0.0.1:99999", "nonsense", "[::1", "256.0.0.1:80:80"])
def test_an_address_that_is_none(tmp_path: Path, wrong: str) -> None:
    service = Running(tmp_path / "log", f"--web.listen-address={wrong}")
    assert service.process.wait(PATIENCE) == 2
    assert re.search(r"is no address", service.said())


@pytest.mark.parametrize("path", ["/-/ready", "/api/v1/history", "/docs", "/static/page.css"])
def test_a_telemetry_path_that_means_something_else(tmp_path: Path, path: str) -> None:
    service = Running(tmp_path / "log", f"--web.telemetry-path={path}")
    assert service.process.wait(PATIENCE) == 2
    assert "answers something else" in service.said()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    before = ids()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Running(tmp_path / "log", f"--web.listen-address=127.0.0.1:{port}")
        assert service.process.wait(PATIENCE) == 5
    assert f"Cannot listen on 127.0.0.1:{port}" in service.said()
    assert "Traceback" not in service.said()
    assert settled(before), leftovers(before)
