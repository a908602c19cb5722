# SPDX-License-Identifier: GPL-2.0-only
"""Landlock in a forked child: what is listed works, and nothing else does."""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import UserError
from profiler.service import sandbox
from profiler.service.config_file import ConfigFile
from tests.service.certificates import Authority

needs_landlock = pytest.mark.skipif(
    sandbox.abi() < 6, reason="needs Landlock ABI 6 (Linux 6.12, CONFIG_SECURITY_LANDLOCK, lsm=landlock)"
)


def in_child(work: Callable[[], object]) -> Any:
    """What *work* returns (as JSON) in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = {"result": work()}
        except BaseException:
            result = {"error": traceback.format_exc()}
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        found = json.load(answer)
    os.waitpid(child, 0)
    assert "error" not in found, found["error"]
    return found["result"]


def outcome(what: Callable[[], object]) -> str:
    """``ok``, or the name of the error."""
    try:
        result = what()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    if isinstance(result, (int, socket.socket)) and not isinstance(result, bool):
        # Kept open for as long as the child lives.
        _kept.append(result)
    return "ok"


_kept: list[object] = []


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """One to be read, one to be written, one not listed; each with a file and a folder in it."""
    made = tmp_path / "read", tmp_path / "write", tmp_path / "other"
    for folder in made:
        folder.mkdir()
        for name in ("file", "second", "third"):
            (folder / name).write_text("content")
        (folder / "folder").mkdir()
    return made


@needs_landlock
def test_files_are_those_that_are_listed(folders: tuple[Path, Path, Path]) -> None:
    read, write, other = folders

    def attempts(folder: Path) -> dict[str, Callable[[], object]]:
        file = folder / "file"
        return {
            "read": lambda: os.open(file, os.O_RDONLY),
            "list": lambda: list(folder.iterdir()),
            "write": lambda: os.open(file, os.O_WRONLY),
            "truncate": lambda: os.truncate(file, 3),
            "create": lambda: os.open(folder / "new", os.O_WRONLY | os.O_CREAT),
            "rename within": lambda: (folder / "second").rename(folder / "renamed"),
            "remove": lambda: (folder / "third").unlink(),
            "make a folder": lambda: (folder / "made").mkdir(),
            "remove a folder": lambda: (folder / "folder").rmdir(),
            "link": lambda: (folder / "link").symlink_to("file"),
            "make a pipe": lambda: os.mkfifo(folder / "pipe"),
        }

    def work() -> object:
        inherited = os.open(other / "file", os.O_RDONLY)
        reason = sandbox.restrict(read=[read], write=[write])
        found = {
            folder.name: {name: outcome(attempt) for name, attempt in attempts(folder).items()}
            for folder in folders
        }
        return reason, found, os.read(inherited, 100).decode()

    reason, found, inherited = in_child(work)
    assert reason is None
    none = dict.fromkeys(attempts(other), "EACCES")
    assert found["other"] == none
    assert found["read"] == none | {"read": "ok", "list": "ok"}
    allowed = ("read", "list", "write", "truncate", "create", "rename within", "remove")
    assert found["write"] == none | dict.fromkeys(allowed, "ok")
    assert inherited == "content"


@needs_landlock
def test_a_single_file_can_be_listed(folders: tuple[Path, Path, Path]) -> None:
    read, _, _ = folders

    def work() -> object:
        sandbox.restrict(read=[read / "file"])
        return outcome(lambda: os.open(read / "file", os.O_RDONLY)), outcome(
            lambda: os.open(read / "second", os.O_RDONLY)
        )

    assert in_child(work) == ["ok", "EACCES"]


@needs_landlock
def test_nothing_is_executed() -> None:
    def work() -> object:
        sandbox.restrict(read=["/"])
        return outcome(lambda: os.execv("/bin/true", ["true"]))  # noqa: S606

    assert in_child(work) == "EACCES"


@needs_landlock
def test_tcp_is_what_was_bound_before() -> None:
    def work() -> object:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        elsewhere = socket.create_server(("127.0.0.1", 0))
        sandbox.restrict()
        bound.listen()
        return (
            outcome(lambda: socket.create_connection(bound.getsockname(), 5)),
            outcome(lambda: socket.create_connection(elsewhere.getsockname(), 5)),
            outcome(lambda: socket.create_server(("127.0.0.1", 0))),
        )

    assert in_child(work) == ["EACCES", "EACCES", "EACCES"]


@needs_landlock
def test_a_server_still_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def client() -> None:
            with socket.create_connection(address, 30) as connection:
                connection.sendall(b"x")
                connection.recv(1)

        thread = threading.Thread(target=client)
        thread.start()

        def work() -> object:
            listener.settimeout(30)
            sandbox.restrict()
            connection, _ = listener.accept()
            with connection:
                return connection.recv(1).decode()

        assert in_child(work) == "x"
        listener.close()
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def bystander() -> Iterator[int]:
    """A process of the same user that sleeps; its id."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@needs_landlock
def test_no_signal_leaves_and_no_abstract_socket_of_others_is_reached() -> None:
    name = f"\0uffd-profiler-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener, bystander() as other:
        listener.bind(name)
        listener.listen()

        def connect() -> None:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(name)

        def work() -> object:
            before = outcome(lambda: os.kill(other, 0)), outcome(connect)
            sandbox.restrict()
            after = outcome(lambda: os.kill(other, 0)), outcome(connect)
            return before, after, outcome(lambda: os.kill(os.getpid(), 0))

        assert in_child(work) == [["ok", "ok"], ["EPERM", "EPERM"], "ok"]


@needs_landlock
def test_the_process_reads_about_itself_and_no_other() -> None:
    """The kernel makes a new inode for /proc/PID when it dropped the old one, and rules are on inodes: the
    old one is held. Held or not cannot be provoked without emptying the caches of the machine."""

    def work() -> object:
        sandbox.restrict(read=["/proc/self"])
        found = [outcome(lambda: os.open("/proc/self/stat", os.O_RDONLY))]
        found.append(outcome(lambda: os.open("/proc/1/stat", os.O_RDONLY)))
        return found, len(sandbox._held)

    found, held = in_child(work)
    assert found == ["ok", "EACCES"]
    assert held == 1


@needs_landlock
def test_certificates_are_reloaded_within_the_sandbox(tmp_path: Path) -> None:
    """With the directories that the config file names, and nothing of /proc."""
    authority = Authority()
    first, second = authority.issue(), authority.issue()
    store = tmp_path / "store"
    store.mkdir()
    first.write(store, "one")
    second.write(store, "two")
    folder = tmp_path / "config"
    folder.mkdir()
    for ending in ("crt", "key"):
        (folder / f"server.{ending}").symlink_to(store / f"one.{ending}")
    path = folder / "web.yml"
    path.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    failures: list[str] = []
    file = ConfigFile(path, on_failure=failures.append)

    def work() -> object:
        sandbox.restrict(read=file.directories())
        # By another process; here the links are what may not be written.
        os.write(go, b"x")
        os.read(come, 1)
        file.check()
        file.check()
        tls = file.current.tls
        return failures, file.reloads, bool(tls and tls.certificate.data == second.certificate)

    come, went = os.pipe()
    gone, go = os.pipe()

    def exchange() -> None:
        os.read(gone, 1)
        for ending in ("crt", "key"):
            new = folder / f"new.{ending}"
            new.symlink_to(store / f"two.{ending}")
            new.rename(folder / f"server.{ending}")
        os.write(went, b"x")

    thread = threading.Thread(target=exchange)
    thread.start()
    assert in_child(work) == [[], 1, True]
    thread.join(30)
    for fd in (come, went, gone, go):
        os.close(fd)


def test_no_core_is_dumped_and_no_privilege_regained() -> None:
    def work() -> object:
        sandbox.restrict(read=["/"])
        status = Path("/proc/self/status").read_text()
        return resource.getrlimit(resource.RLIMIT_CORE), "NoNewPrivs:\t1" in status

    core, no_new_privs = in_child(work)
    assert core == [0, 0]
    assert no_new_privs or sandbox.abi() == 0


def test_a_path_that_is_not_there_is_named() -> None:
    def work() -> object:
        try:
            sandbox.restrict(read=["/nowhere"])
        except UserError as error:
            return str(error)
        return None

    expected = "/nowhere cannot be opened to the sandbox: No such file or directory; correct the path."
    assert in_child(work) == (expected if sandbox.abi() else None)


def test_it_is_refused_when_a_thread_would_stay_outside() -> None:
    def work() -> object:
        threading.Thread(target=signal.pause, daemon=True).start()
        try:
            sandbox.restrict()
        except RuntimeError as error:
            return str(error)
        return None

    assert in_child(work) == "threads run already, and would stay unrestricted"


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_a_kernel_without_it_says_so(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    class Kernel:
        def syscall(self, *_: object) -> int:
            ctypes.set_errno(error)
            return -1

    monkeypatch.setattr(sandbox, "_libc", Kernel())
    reason = in_child(lambda: sandbox.restrict(read=["/"]))
    assert reason == "this kernel has no Landlock, or it was not enabled at boot (lsm=)"


@needs_landlock
@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7, 99])
def test_only_what_the_abi_has_is_asked_for(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """This kernel takes what an older one would be asked, and a newer one is asked no more than is known."""
    monkeypatch.setattr(sandbox, "abi", lambda: version)

    def work() -> object:
        reason = sandbox.restrict(read=["/proc/self"])
        with socket.create_server(("127.0.0.1", 0)) if version < 4 else socket.socket() as listener:
            connected = (
                outcome(lambda: socket.create_connection(listener.getsockname(), 5)) if version < 4 else ""
            )
        return reason, outcome(lambda: os.open("/etc/passwd", os.O_RDONLY)), connected

    assert in_child(work) == [None, "EACCES", "ok" if version < 4 else ""]


@pytest.mark.parametrize(
    ("version", "gaps"), [(0, 4), (1, 3), (2, 3), (3, 2), (4, 1), (5, 1), (6, 0), (7, 0)]
)
def test_what_an_abi_lacks_is_named(version: int, gaps: int) -> None:
    assert len(sandbox.lacks(version)) == gaps
