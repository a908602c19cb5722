# SPDX-License-Identifier: GPL-2.0-only
"""Facts and descriptors arrive whole, or not at all."""

import fcntl
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from profiler.hooks import handover
from profiler.hooks.handover import Handover, receive, send


def open_fds() -> set[str]:
    """What is open, the directory of the listing itself left out."""
    return {name.name for name in Path("/proc/self/fd").iterdir() if name.is_symlink()}


@pytest.fixture
def channels() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _files(number: int) -> list[int]:
    """Distinguishable descriptors: file ``n`` has the length ``n``."""
    fds = []
    for n in range(number):
        fd = os.memfd_create("handed")
        os.truncate(fd, n)
        fds.append(fd)
    return fds


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _in_thread(body: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize("numbers", [(0, 0), (1, 0), (0, 3), (199, 2), (200, 0), (201, 1), (260, 301)])
def test_everything_arrives_in_order(
    channels: tuple[socket.socket, socket.socket], numbers: tuple[int, int]
) -> None:
    ours, theirs = channels
    links, programs = _files(numbers[0]), _files(numbers[1])
    facts = {"plan": [{"hook": "a"}], "cpus": 2, "minor_flag": None, "text": "é" * 300_000}

    def body() -> None:
        try:
            send(theirs, Handover(facts, {"links": links, "programs": programs}))
        finally:
            theirs.shutdown(socket.SHUT_WR)  # a sender that fails shall not leave the receiver waiting

    sender = _in_thread(body)
    got = receive(ours)
    sender.join()
    try:
        assert got.facts == facts
        assert list(got.fds) == ["links", "programs"]
        assert [os.fstat(fd).st_size for fd in got.fds["links"]] == list(range(numbers[0]))
        assert [os.fstat(fd).st_size for fd in got.fds["programs"]] == list(range(numbers[1]))
        for fd in (*got.fds["links"], *got.fds["programs"]):
            assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    finally:
        _close(*links, *programs, *got.fds["links"], *got.fds["programs"])


def test_the_descriptors_stay_open_at_the_sender(channels: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = channels
    fds = _files(3)
    send(theirs, Handover({}, {"links": fds}))
    got = receive(ours)
    assert len(set(fds) | set(got.fds["links"])) == 6
    _close(*fds, *got.fds["links"])


def _whole(number: int) -> tuple[bytes, list[int]]:
    """The bytes that :func:`send` would send ahead of descriptors, and the descriptors."""
    left, right = socket.socketpair()
    with left, right:
        send(left, Handover({"a": 1}, {"links": []}))
        empty = right.recv(1 << 16)
    body = empty[8:].replace(b'"links": 0', b'"links": %d' % number)
    return len(body).to_bytes(8, "little") + body, _files(number)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, -1])
def test_a_sender_that_dies_within_the_message(
    channels: tuple[socket.socket, socket.socket], cut: int
) -> None:
    ours, theirs = channels
    data, _ = _whole(0)
    theirs.sendall(data[:cut])
    theirs.close()
    before = open_fds()
    with pytest.raises(EOFError):
        receive(ours)
    assert open_fds() == before


@pytest.mark.parametrize("arrived", [0, 1, 200, 250])
def test_a_sender_that_dies_between_descriptors_leaks_none(
    channels: tuple[socket.socket, socket.socket], arrived: int
) -> None:
    ours, theirs = channels
    data, fds = _whole(251)
    theirs.sendall(data)
    for start in range(0, arrived, handover._FDS_PER_MESSAGE):
        socket.send_fds(theirs, [b"f"], fds[start : min(start + handover._FDS_PER_MESSAGE, arrived)])
    theirs.close()
    before = open_fds()
    with pytest.raises(EOFError):
        receive(ours)
    assert open_fds() == before
    _close(*fds)


def test_descriptors_beyond_the_limit_are_an_error_that_says_so(
    channels: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = channels
    fds = _files(20)
    send(theirs, Handover({}, {"links": fds}))
    before = open_fds()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [number for number in range(4096) if str(number) not in before]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[5], hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            receive(ours)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_fds() == before
    _close(*fds)


def test_a_message_holds_no_more_descriptors_than_the_kernel_takes() -> None:
    assert handover._FDS_PER_MESSAGE <= 253  # include/net/scm.h: SCM_MAX_FD
