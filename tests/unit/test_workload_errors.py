# SPDX-License-Identifier: GPL-2.0-only
"""What the workload refuses, and how errors travel from the child that runs it."""

import os
import pickle
import subprocess
from pathlib import Path

import pytest

from profiler.errors import Exit, UserError
from profiler.workload import build
from profiler.workload.run import Options, UnavailableError, run

BAD = [
    (["--bogus"], "--bogus is no option"),
    (["extra"], "extra is no option"),
    (["--pages"], "--pages needs a value"),
    (["--pages", "0"], "from 1 to"),
    (["--pages", "-1"], "from 1 to"),
    (["--pages", "5x"], "whole number"),
    (["--pages", "99999999999999999999"], "from 1 to"),
    (["--threads", "257"], "from 1 to 256"),
    (["--backing", "disk"], "choose one of anon, memfd, memfd-private, tmpfs, hugetlb"),
    (["--cache", "warm"], "choose one of"),
    (["--access", "execute"], "read, write"),
    (["--order", "backwards"], "sequential, random"),
    (["--gup=fast"], "populate, process-vm"),
    (["--mode", "missing+missing"], "each once"),
    (["--mode", "major"], "joined by"),
    (["--mode", ""], "joined by"),
    (["--backing", "anon", "--cache", "full"], "no page cache"),
    (["--marker"], "need a --mode"),
    (["--mode", "minor", "--marker"], "needs wp"),
    (["--mode", "wp", "--zeropage"], "needs missing"),
    (["--sigbus"], "need a --mode"),
    (["--mode", "wp", "--sigbus", "--signal", "1"], "no handler"),
    (["--mode", "wp", "--fork", "--delay-us", "1"], "never reach a handler"),
    (["--mode", "wp", "--unregister-while-waiting", "--close-while-waiting"], "choose one of"),
    (["--mode", "wp", "--close-while-waiting", "--delay-us", "1"], "resolves nothing"),
    (["--mode", "wp", "--close-while-waiting", "--handlers", "2"], "one handler"),
    (["--kernel-access", "--gup"], "choose one of"),
    (["--mode", "minor", "--signal", "1", "--gup"], "user mode"),
    (["--mode", "minor", "--wake-first", "1", "--same-page"], "cannot be joined"),
    (["--mode", "minor", "--gather", "--wake-first", "1"], "cannot be joined"),
    (["--mode", "minor", "--gather", "--threads", "9", "--pages", "17"], "at least --pages"),
    (["--swap"], "--backing anon only"),
    (["--stride", "300"], "--touch-once"),
    (["--cold-file", "x", "--backing", "anon"], "leave --backing out"),
    (["--cold-file", "/nowhere/x"], "No such file"),
    (["--cold-file", "/dev/null"], "not a regular file"),
    (["--cold-file", "/proc/self/status"], "fewer than --pages"),
]


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    build.build()


def raw(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([build.path(), *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_errors_survive_the_pipe() -> None:
    unavailable = pickle.loads(pickle.dumps(UnavailableError("no MINOR mode here")))  # noqa: S301
    assert isinstance(unavailable, UnavailableError)
    assert (str(unavailable), unavailable.code) == ("no MINOR mode here", Exit.CANNOT_TELL)
    other = pickle.loads(pickle.dumps(UserError("broken", Exit.OUTPUT)))  # noqa: S301
    assert (str(other), other.code) == ("broken", Exit.OUTPUT)


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_a_wrong_option_is_one_sentence_and_exit_2(arguments: list[str], sentence: str) -> None:
    done = raw(*arguments)
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert sentence in done.stderr
    assert done.stderr.startswith("uffd-profiler workload: ")
    assert done.stderr.count("\n") == 1


def test_userfaultfd_takes_no_file() -> None:
    path = Path(__file__).parent / f"cold-{os.getpid()}"
    with pytest.raises(UnavailableError, match=r"mode wp on backing file: .*WP_ASYNC"):
        run(Options(cold_file=path, mode="wp"))
    assert not path.exists()


def test_threads_that_never_wait_are_told() -> None:
    done = raw("--mode", "wp", "--close-while-waiting", "--threads", "2", "--timeout", "1")
    assert done.returncode == 1
    assert "only 0 of 2 threads wait" in done.stderr


def test_help_is_complete() -> None:
    done = raw("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for flag in Options(pages=1).argv():
        assert flag.split("=")[0] in done.stdout
