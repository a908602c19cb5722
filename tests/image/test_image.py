# SPDX-License-Identifier: GPL-2.0-only
"""The image: what is in it, and what it does on the running kernel with the rights of docs/container.md."""

import json
import os
import signal
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiler.__main__ import COMMANDS
from profiler.service import DEFAULT_PORT
from profiler.workload.result import Result
from profiler.workload.result import parse as parse_result
from tests.image.build import files
from tests.image.conftest import ROOT, Bench, Built
from tests.image.documented import documented
from tests.image.sandbox import Sandbox

SIZE_LIMIT_MB = 480
"""Of these, 400 are Debian's base and its LLVM."""
NOBODY = 65534
READY_S = 120
P = 509
COMPILERS = {
    "cc",
    "gcc",
    "c++",
    "g++",
    "cpp",
    "c99",
    "clang",
    "clang++",
    "ld",
    "as",
    "tcc",
    "make",
    "rustc",
    "go",
}

RUN = documented()


def container(built: Built, **changes: Any) -> Sandbox:
    """As `docker run` starts it with the documented options."""
    image = built.image
    user, group = image.ids()
    sandbox = Sandbox(
        image.root,
        image.environment | {"HOME": "/root"},
        image.directory,
        user,
        group,
        RUN.capabilities,
        [(outside, inside) for outside, inside in RUN.volumes if outside.exists()],
        machine_pids=RUN.machine_pids,
        own_network=True,
        writable=not RUN.read_only,
    )
    return replace(sandbox, **changes)


def run(built: Built, *words: str, **changes: Any) -> "subprocess.CompletedProcess[str]":
    return container(built, **changes).run([*built.image.entrypoint, *words], 120)


def profile(built: Built, **changes: Any) -> tuple[int, Result | None, dict[str, Any], str]:
    """Profile P userfaults in mode MINOR: exit code, what the workload says, the profile, the errors."""
    workload = ["uffd-profiler", "workload", "--backing=memfd", "--mode=minor", f"--pages={P}"]
    done = run(built, "profile", "--json", "-", "--", *workload, **changes)
    own, _, document = done.stdout.partition("\n")
    if not document:
        return done.returncode, None, {}, done.stderr
    return done.returncode, parse_result(own), json.loads(document), done.stderr


def without(right: str) -> dict[str, Any]:
    """The change to a container that takes one documented right away."""
    if right == "--pid=host":
        return {"machine_pids": False}
    return {"capabilities": RUN.capabilities - {right}}


def test_the_command_says_its_version(built: Built) -> None:
    done = run(built, "--version")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (done.returncode, done.stdout) == (0, f"uffd-profiler {version}\n"), done.stderr
    assert built.image.labels["org.opencontainers.image.version"] == version


def test_the_doctor_finds_that_the_question_can_be_answered(built: Built) -> None:
    done = run(built, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "can be answered here" in done.stdout


def test_a_profile_counts_each_fault_of_the_workload(built: Built) -> None:
    code, result, document, errors = profile(built)
    assert (code, errors) == (0, "")
    assert result
    assert result.agrees
    assert result.expected_userfaults.minor == result.expected_faults == P
    families = document["families"]
    assert [(row["reason"], row["count"]) for row in families["userfault_begun"]] == [("minor", P)]
    if families["read_fault"] is not None:
        counts = [row["count"] for row in families["read_fault"] if row["uffd_mode"] != "none"]
        assert sum(counts) == P
    assert not any(document["missed"]["causes"].values())


@pytest.fixture(scope="module")
def complete(built: Built) -> dict[str, Any]:
    """What is told of hooks and kernel with all the documented rights."""
    code, _, document, errors = profile(built)
    assert code == 0, errors
    return _told(document)


def _told(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document.get(key) for key in ("plan", "kernel")}


@pytest.mark.parametrize("right", [*sorted(RUN.capabilities), "--pid=host"])
def test_no_documented_right_is_superfluous(built: Built, complete: dict[str, Any], right: str) -> None:
    code, _, document, _ = profile(built, **without(right))
    assert code != 0 or _told(document) != complete


def test_the_programs_are_roots_and_nobody_may_write_them(built: Built) -> None:
    programs = [path.lstat() for path in files(built.image.root / "opt")]
    assert len(programs) > 100
    assert {(status.st_uid, status.st_gid) for status in programs} == {(0, 0)}
    found = {str(path.relative_to(built.image.root)) for path in files(built.image.root) if _nobodys(path)}
    assert found == {"tmp", "var/tmp", "run/lock"}


def _nobodys(path: Path) -> bool:
    """Whether uid and gid 65534 may write it."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return False
    own = status.st_uid == NOBODY or (status.st_gid == NOBODY and status.st_mode & stat.S_IWGRP)
    return bool(own or status.st_mode & stat.S_IWOTH)


def test_there_is_no_compiler_and_no_pip(built: Built) -> None:
    assert {"cc", "gcc", "ld"} <= _programs(built.first_stage.root) & COMPILERS
    found = _programs(built.image.root)
    assert "uffd-profiler" in found
    assert not found & (COMPILERS | {"pip", "pip3"})
    assert not list((built.image.root / "opt").rglob("site-packages/pip"))
    assert not list(built.image.root.glob("usr/include/*.h"))


def _programs(root: Path) -> set[str]:
    """Names of all that is executable, whatever its version or target; and of links to it."""
    found = set()
    for path in files(root):
        if "bin" in path.parent.name or "libexec" in path.parts:
            found |= {path.name, path.name.rpartition("x86_64-linux-gnu-")[2].split("-")[0]}
    return found


def test_nothing_of_its_making_is_left_over(built: Built) -> None:
    root = built.image.root
    folders = (
        "dev",
        "proc",
        "sys",
        "tmp",
        "var/tmp",
        "var/lib/apt/lists",
        "var/log/apt",
        "root/.cache",
        "src",
    )
    assert [path for name in folders for path in files(root / name)] == []
    assert [path for path in files(root / "var/cache/apt") if path.is_file() and path.name != "lock"] == []
    assert [path for path in files(root / "run") if path.name != "lock"] == []
    for lent in ("etc/apt/sources.list.d/debian.sources", "etc/resolv.conf", "etc/hosts"):
        assert (root / lent).read_bytes() == b""


def test_only_what_the_dockerfile_copies_is_sent_to_be_built(bench: Bench) -> None:
    context = bench.context
    # An engine is always sent its own two files.
    sent = {path.name for path in context.iterdir()} - {"Dockerfile", ".dockerignore"}
    assert sent == {"bpf", "profiler", "pyproject.toml"}
    assert not list(context.rglob("__pycache__"))
    assert (context / "profiler" / "workload" / "workload.c").is_file()


def test_the_size_is_as_said(built: Built, record_property: Any, capsys: pytest.CaptureFixture[str]) -> None:
    listing = subprocess.run(["du", "-sm", built.image.root], capture_output=True, text=True, check=True)
    megabytes = int(listing.stdout.split()[0])
    record_property("image_megabytes", megabytes)
    record_property("build_seconds", round(built.seconds, 1))
    with capsys.disabled():
        print(f"\nimage: {megabytes} MB unpacked, built in {built.seconds:.0f} s")
    assert 300 < megabytes < SIZE_LIMIT_MB


def test_all_say_the_same_port(built: Built) -> None:
    assert built.image.exposed == [f"{DEFAULT_PORT}/tcp"]
    assert f":{DEFAULT_PORT}" in built.image.command[-1]
    assert built.image.healthcheck
    assert f", {DEFAULT_PORT}," in built.image.healthcheck.command[-1]
    assert RUN.published == (f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}",)


def test_the_health_check_fails_where_nothing_serves(built: Built) -> None:
    assert built.image.healthcheck
    done = container(built).run(built.image.healthcheck.command, built.image.healthcheck.timeout)
    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stderr


@pytest.mark.skipif("serve" not in COMMANDS, reason="there is no command serve yet")
def test_the_default_command_serves_and_is_nobody(built: Built, tmp_path: Path) -> None:
    sandbox = container(built)
    command = [*built.image.entrypoint, *built.image.command]
    with _started(sandbox, command, tmp_path / "said") as (bwrap, server):
        _until_healthy(built, sandbox, server, bwrap, tmp_path / "said")
        for pid in _tree(server):
            status = _status(pid)
            assert status["Uid"] == status["Gid"] == [str(NOBODY)] * 4
            capabilities = [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
            assert capabilities == [["0" * 16]] * 4
            assert status["NoNewPrivs"] == ["1"]
        os.kill(server, signal.SIGTERM)
        assert bwrap.wait(30) == 0, (tmp_path / "said").read_text()


@contextmanager
def _started(
    sandbox: Sandbox, command: list[str], said: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A process that goes on: bubblewrap, which ends with its exit code, and its own number."""
    reader, writer = os.pipe()
    with said.open("w") as output:
        bwrap = subprocess.Popen(
            sandbox.argv(command, "--info-fd", str(writer)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[writer],
        )
    os.close(writer)
    with os.fdopen(reader) as information:
        server = int(json.load(information)["child-pid"])
    process = os.pidfd_open(server)
    try:
        yield bwrap, server
    finally:
        # Who becomes another user is no longer killed with its parent (prctl(2), PR_SET_PDEATHSIG).
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)
        bwrap.wait(30)


def _until_healthy(
    built: Built, sandbox: Sandbox, server: int, bwrap: "subprocess.Popen[bytes]", said: Path
) -> None:
    """As an engine does: run the check beside the server, with the container's rights, until it succeeds."""
    check = built.image.healthcheck
    assert check
    enter = ["nsenter", f"--target={server}", "--mount", "--net", f"--root=/proc/{server}/root", "--wd=/"]
    variables = [f"{name}={value}" for name, value in sandbox.environment.items()]
    command = [*enter, "/usr/bin/env", "-i", *variables, *sandbox.rights(), *check.command]
    deadline = time.monotonic() + READY_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True, timeout=check.timeout * 3, check=False)
        if done.returncode == 0:
            return
        assert bwrap.poll() is None, said.read_text()
        assert time.monotonic() < deadline, done.stderr + said.read_text()
        time.sleep(0.1)


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(inner for child in children for inner in _tree(int(child)))]


def _status(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
