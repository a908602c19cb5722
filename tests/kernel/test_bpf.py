# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel refuses comes back as its own reason, and leaves no descriptor behind."""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.kernel import abilities, bpf, perf_event

HASH, QUEUE, NO_SUCH_KIND = 1, 22, 9999
EXIT = struct.pack("<BBhi", 0x95, 0, 0, 0)


def _open() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    before = _open()
    yield
    assert _open() == before


@pytest.fixture
def program() -> Iterator[int]:
    fd = bpf.load_program("raw_tracepoint", "a_name_longer_than_the_kernel_takes", bpf.RETURN_0)
    yield fd
    os.close(fd)


def test_a_refused_program_comes_with_the_verifiers_reason() -> None:
    with pytest.raises(OSError, match=r"^\[Errno 13\] Permission denied: R0 !read_ok$") as error:
        bpf.load_program("raw_tracepoint", "nothing_in_r0", EXIT)
    assert bpf.error_name(error.value) == "EACCES"


def test_a_program_that_traces_needs_a_function() -> None:
    """A kernel without trampolines refuses it with EPERM, whatever function it names."""
    with pytest.raises(OSError, match=r"Invalid argument|Operation not permitted") as error:
        bpf.load_program("tracing", "nowhere", bpf.RETURN_0, traces=(bpf.TRACE_FENTRY, 0))
    assert error.value.errno in (errno.EINVAL, errno.EPERM)


def test_a_refused_map() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        bpf.create_map("map", NO_SUCH_KIND, 4, 4, 1, 0)


def test_elements() -> None:
    fd = bpf.create_map("map", HASH, 4, 4, 1, 0)
    try:
        bpf.update(fd, 7, 1)
        bpf.update(fd, 7, 2)
        with pytest.raises(OSError, match="too long") as full:
            bpf.update(fd, 8, 1)
        assert full.value.errno == errno.E2BIG
        bpf.delete(fd, 7)
        with pytest.raises(OSError, match="No such file") as gone:
            bpf.delete(fd, 7)
        assert gone.value.errno == errno.ENOENT
        bpf.update(fd, 8, 1)
    finally:
        os.close(fd)


def test_a_queue_has_no_keys() -> None:
    fd = bpf.create_map("queue", QUEUE, 0, 4, 2, 0)
    try:
        bpf.update(fd, None, 1)
        bpf.update(fd, None, 1)
        with pytest.raises(OSError, match="too long"):
            bpf.update(fd, None, 1)
    finally:
        os.close(fd)


def test_a_tracepoint_that_is_not_there(program: int) -> None:
    with pytest.raises(OSError, match="No such file"):
        bpf.attach(program, "no_such_tracepoint")
    os.close(bpf.attach(program, "sched_process_fork"))


@pytest.mark.parametrize("at_return", [False, True])
def test_a_function_that_is_not_there(at_return: bool) -> None:
    fd = bpf.load_program("kprobe", "kprobe", bpf.RETURN_0)
    try:
        with pytest.raises(OSError, match=r"No such file|Invalid argument"):
            perf_event.attach_kprobe(fd, "no_such_function", at_return)
        if abilities.try_kprobe() is None:
            os.close(perf_event.attach_kprobe(fd, "handle_mm_fault", at_return))
    finally:
        os.close(fd)


def test_an_event_takes_no_program_of_another_kind(program: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        perf_event.attach_software_event(program, "page-faults-min", 0)
