# SPDX-License-Identifier: GPL-2.0-only
"""What a guest may have compiled by its host, and what becomes of a request."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.hooks import by_host, compiling, kept, program
from profiler.lab import compiler
from profiler.pte.constants import constants
from profiler.pte.named import NAMES, named
from tests.unit.test_program import FACTS, everything

REAL = FACTS | constants(named(NAMES[0]))
OPTIONS = program.flags(everything(), REAL, 2, True)
KEY = compiling.key(OPTIONS)


def without(name: str) -> list[str]:
    return [option for option in OPTIONS if not option.startswith(f"-D{name}=")]


def test_the_options_of_every_plan_are_compiled() -> None:
    assert program.are_flags(OPTIONS, 2)
    assert program.are_flags(program.flags(everything(), REAL, 64, False), 64)


@pytest.mark.parametrize(
    "options",
    [
        ["-fplugin=/tmp/x.so", *OPTIONS],
        ["-include/etc/shadow", *OPTIONS],
        ["-DX=__has_include(</etc/shadow>)", *OPTIONS],
        ["-DX=1\n#include </etc/shadow>", *OPTIONS],
        [*OPTIONS, "-DX=1"],
        OPTIONS[:-1],
        without("CPUS"),
        ["-DCPUS=3", *without("CPUS")],
        ["-DCPUS=0", *without("CPUS")],
        ["-DTHREADS=1000000000", *without("THREADS")],
        ["-DSLOTS=1000000000", *without("SLOTS")],
        [],
    ],
    ids=repr,
)
def test_nothing_else_is(options: list[str]) -> None:
    assert not program.are_flags(options, 2)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what was compiled and kept."""
    keys: list[str] = []
    monkeypatch.setattr(compiling, "compile_here", lambda options: None)
    monkeypatch.setattr(kept, "store", lambda name, made, folders: keys.append(f"{name} in {folders}"))
    return keys


def request(folder: Path, name: str, content: str) -> Path:
    path = folder / f"{name}.0a{by_host.TAKEN}"
    path.write_text(content)
    return path


def test_a_request_is_compiled_if_it_is_of_this_source(tmp_path: Path, compiled: list[str]) -> None:
    text = repr(OPTIONS).replace("'", '"')
    compiler._compile(request(tmp_path, KEY, text))
    compiler._compile(request(tmp_path, "0" * 64, text))
    assert compiled == [f"{KEY} in {[tmp_path]}"]


@pytest.mark.parametrize("content", ["", "[", '["-fplugin=/tmp/x.so"]', "[" + '"-DX=1",' * 20000])
def test_nonsense_is_taken_away_and_nothing_is_compiled(tmp_path: Path, content: str) -> None:
    wanted = tmp_path / f"{KEY}.0a{by_host.WANTED}"
    wanted.write_text(content)
    compiler._answer(wanted, threading.Event())
    assert list(tmp_path.iterdir()) == []


def asked(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Path], None]) -> float:
    """Ask, and let ``answer`` deal with the request; return when asking was over."""
    monkeypatch.setenv(by_host.VARIABLE, str(folder))
    over = []

    def ask() -> None:
        by_host.ask(KEY, OPTIONS)
        over.append(time.monotonic())

    guest = threading.Thread(target=ask)
    guest.start()
    while not (found := list(folder.glob(f"{KEY}.*{by_host.WANTED}"))):
        assert guest.is_alive()
        time.sleep(0.001)
    answer(found[0])
    guest.join(10)
    assert not guest.is_alive()
    return over[0]


def test_who_asks_waits_until_the_request_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = []

    def answer(wanted: Path) -> None:
        taken = wanted.rename(wanted.with_suffix(by_host.TAKEN))
        time.sleep(0.3)
        gone.append(time.monotonic())
        taken.unlink()

    assert asked(tmp_path, monkeypatch, answer) > gone[0]
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_answered_does_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_host, "_SECONDS", 0.3)
    asked(tmp_path, monkeypatch, lambda wanted: None)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(by_host.VARIABLE, str(tmp_path / "nowhere"))
    by_host.ask(KEY, OPTIONS)
    monkeypatch.delenv(by_host.VARIABLE)
    by_host.ask(KEY, OPTIONS)


def test_a_compiler_that_takes_long_ends_with_the_vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def sleep(*_: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(start([sys.executable, "-c", "import time; time.sleep(20)"]))
        return started[-1]

    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", sleep)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with compiler.compiler(tmp_path) as variables:
        assert variables.keys() == {by_host.VARIABLE}
        (tmp_path / f"{KEY}.0a{by_host.WANTED}").write_text("[]")
        while not started:
            time.sleep(0.001)
    assert started[0].returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_only_root_compiles_for_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with compiler.compiler(tmp_path) as variables:
        assert variables == {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with compiler.compiler(None) as variables:
        assert variables == {}
