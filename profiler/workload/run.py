# SPDX-License-Identifier: GPL-2.0-only
"""Run the workload: at once (:func:`run`), or held at its gate to attach something (:func:`gated`)."""

import contextlib
import dataclasses
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from profiler.errors import Exit, UserError
from profiler.workload import build
from profiler.workload.result import Result, parse

Backing = Literal["anon", "memfd", "memfd-private", "tmpfs", "hugetlb"]
Cache = Literal["full", "half", "empty"]
Access = Literal["read", "write"]
Order = Literal["sequential", "random"]
Gup = Literal["auto", "populate", "process-vm"]

SPARE_S = 30
"""Seconds a run may take beyond the timeout of its touches: setting up, under emulation."""


class UnavailableError(UserError):
    """This kernel or machine cannot do it; the sentence names what is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.CANNOT_TELL)

    def __reduce__(self) -> tuple[type["UnavailableError"], tuple[str]]:
        """Pickled by its sentence: a child runs the workload for ``check``."""
        return UnavailableError, (str(self),)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the program, by its own names; ``uffd-profiler workload --help`` explains each.

    None leaves an option out, so that the program's default holds.
    """

    backing: Backing | None = None
    mode: str = "none"
    """``none``, or ``missing``, ``wp``, ``minor`` joined by ``+``."""
    cache: Cache | None = None
    access: Access = "read"
    pages: int = 256
    """Huge pages for hugetlb."""
    threads: int = 1
    handlers: int | None = None
    same_page: bool = False
    stride: int | None = None
    order: Order | None = None
    seed: int | None = None
    touch_once: bool = False
    populate: bool = False
    swap: bool = False
    cold_file: Path | None = None
    marker: bool = False
    zeropage: bool = False
    delay_us: int | None = None
    """Microseconds."""
    gather: bool = False
    signal: int | None = None
    wake_first: int | None = None
    sigbus: bool = False
    unregister_while_waiting: bool = False
    close_while_waiting: bool = False
    kernel_access: bool = False
    gup: Gup | None = None
    fork: bool = False
    noise: int | None = None
    timeout: int = 120
    """Seconds the touches may take."""

    def argv(self) -> list[str]:
        """The arguments, without the program."""
        arguments = []
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            name = "--" + option.name.replace("_", "-")
            if value is True or (name == "--gup" and value == "auto"):
                arguments.append(name)
            elif value is not None and value is not False:
                # --gup takes its value only so; the others both ways.
                arguments.append(f"{name}={value}")
        return arguments


def run(options: Options) -> Result:
    """Run it to its end.

    :raises UnavailableError: this kernel or machine cannot do what was asked.
    :raises UserError: a wrong option, or a broken run.
    """
    command = [str(build.path()), *options.argv()]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=options.timeout + SPARE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"the workload did not end: {' '.join(command)}", Exit.CANNOT_TELL) from error
    _check(done.returncode, done.stderr)
    return parse(done.stdout)


@dataclass(slots=True)
class Gated:
    """A workload that stands ready: everything is set up and nothing of its region was touched."""

    process: subprocess.Popen[str]
    pid: int
    """Process that will touch."""
    _released: bool = field(default=False, init=False)
    _done: bool = field(default=False, init=False)

    def release(self) -> None:
        """Let it touch; returns at once."""
        if not self._released:
            self._released = True
            self._send()

    def touch(self) -> None:
        """Let it touch; returns when it has."""
        self.release()
        self._expect("done")
        self._done = True

    def result(self) -> Result:
        """Let it end; :meth:`touch` comes first, if nobody called it."""
        if not self._done:
            self.touch()
        out, errors = self.process.communicate("end\n", timeout=SPARE_S)
        _check(self.process.returncode, errors)
        return parse(out)

    def _send(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            _stream(self.process.stdin).write("go\n")
            _stream(self.process.stdin).flush()

    def _expect(self, word: str) -> list[str]:
        words = _stream(self.process.stdout).readline().split()
        if words[:1] != [word]:
            _, errors = self.process.communicate(timeout=SPARE_S)
            _check(self.process.returncode or Exit.AGAINST_POLICY, errors or f"no {word!r} from the workload")
        return words


@contextlib.contextmanager
def gated(options: Options) -> Iterator[Gated]:
    """Start it and hold it before its touches::

        with gated(Options(mode="wp", pages=257)) as workload:
            attach(workload.pid)
            workload.touch()
            counted = read()
            truth = workload.result()

    However the block is left, the process is gone afterwards.

    :raises UnavailableError: as :func:`run`.
    :raises UserError: as :func:`run`.
    """
    process = subprocess.Popen(
        [str(build.path()), *options.argv(), "--gate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            workload = Gated(process, 0)
            workload.pid = int(workload._expect("ready")[1])
            yield workload
        finally:
            process.kill()


def _stream(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise TypeError("the workload was started without pipes")
    return stream


def _check(code: int, errors: str) -> None:
    """Raise what the exit code means; the program's own sentence is the message."""
    if code == 0:
        return
    sentence = errors.strip().removeprefix("uffd-profiler workload: ")
    if code == Exit.CANNOT_TELL:
        raise UnavailableError(sentence)
    if code == Exit.USAGE:
        raise UserError(sentence)
    raise UserError(
        f"the workload broke (exit code {code}): {sentence or 'it said nothing'}", Exit.CANNOT_TELL
    )
