# SPDX-License-Identifier: GPL-2.0-only
"""Runs one command in a VM: boot, forward what it writes, return how it ended.

Why plain QEMU with a small init of our own, and not virtme-ng (Debian 6.1, emulated, 2 cores, nearly idle):

===================================================  ==================  ================
seconds                                              to COMMAND's start  whole, ``true``
===================================================  ==================  ================
virtme-ng 1.42                                       not taken           13.8
this, Debian's vmlinuz                               6.1                 6.2
this, the kernel inside it (``image.unpack_image``)  2.6                 2.7
===================================================  ==================  ================

virtme-ng needs busybox too, mounts 9p without a cache on kernels that have 9p as a module (importing bcc and
compiling then takes 2 to 4 times as long), and garbles output that is redirected into a regular file.
Started as ``uffd-profiler vm -- true`` beside one busy process, the whole takes 4 s.
With both cores busy emulating other VMs it took 24 to 35 s, hence the long :data:`BOOT_SECONDS`.
"""

import contextlib
import math
import os
import re
import select
import selectors
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab.compiler import compiler
from profiler.lab.frames import FrameReader, Kind
from profiler.lab.image import Kernel
from profiler.lab.initramfs import build_initramfs
from profiler.lab.kept import folder
from profiler.lab.qemu import Machine, start
from profiler.lab.stall import Stalls

BOOT_SECONDS = 120.0
"""A boot takes seconds; on a machine with a dozen times the load it still ends by itself."""

_ALIVE_SECONDS = 5
SILENT_SECONDS = 60.0
"""A guest that sends nothing for so long hangs. Emulated by the two threads of QEMU 7.2, its CPUs can: one
translates an instruction that the other is just patching, keeps the int3 that stands there in between, and
traps for ever. Seen in ``__schedule`` while the tracepoint there was switched; the other one waits."""

_PANIC_SECONDS = 10.0  # a guest that panicked reboots, which ends QEMU; some cannot
_CONSOLE_BYTES = 16384
_CONSOLE_LINES = 15
_INIT_MARK = "uffd-profiler-vm: "  # MARK in init/main.c
_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()].|c)|[\x00-\x08\x0b-\x1f]")


def run_in_vm(
    kernel: Kernel,
    command: Sequence[str],
    *,
    memory: str = "3G",
    cpus: int = 2,
    timeout: float | None = None,
    boot_seconds: float = BOOT_SECONDS,
    instructions: bool = False,
    append: Sequence[str] = (),
    stdout: int = 1,
    stderr: int = 2,
    again: Callable[[str], None] | None = None,
    repeatable: bool = False,
    silent_seconds: float = SILENT_SECONDS,
) -> int:
    """Run ``command`` as the guest's root, in our current directory and with our environment.

    The host's files are there read-only; /tmp, /run and /dev/shm can be written and are forgotten at the end.

    :param memory: of the guest, with QEMU's suffixes.
    :param timeout: seconds for the whole; None for no limit once the command runs.
    :param boot_seconds: limit until the command runs.
    :param instructions: the guest's clocks count instructions, one a nanosecond; it has one CPU then.
    :param append: further words of the kernel's command line.
    :param stdout: descriptor that gets the command's standard output, byte for byte.
    :param stderr: likewise.
    :param again: a guest that hangs or panics while it boots is started once more, and this is told why.
        Emulated, one in some hundred does; the panic that was seen stood in code that was just being patched
        (a static key). Nothing of the command has run then.
    :param repeatable: so is a guest that hangs while the command runs; that runs again from its start.
    :param silent_seconds: a guest that sends nothing for so long, not even that it lives, hangs. No limit
        with ``instructions``: one thread emulates it.
    :return: the command's exit code; 128 + n when signal n ended it; 127 when it is not found.
    :raises HungError: the guest fell silent, or its kernel reported twice that it waits for a CPU.
    :raises UserError: the guest cannot boot, panicked, ended by itself, or took too long. QEMU is gone
        then, as it is on every other way out.
    """
    directory = Path.cwd()
    shared = folder(kernel)
    if timeout is not None:
        boot_seconds = min(boot_seconds, timeout)
    processors = 1 if instructions else cpus
    if instructions:
        silent_seconds = math.inf
    harmless = (BootError, HungError) if repeatable else (BootError,)
    begun = time.monotonic()
    # Nobody outside answers fast enough for a clock that jumps while the guest waits.
    with compiler(None if instructions else shared) as variables:
        initramfs = build_initramfs(
            kernel, command, directory, os.environ | variables, 0 if instructions else _ALIVE_SECONDS
        )
        while True:
            machine = start(kernel, initramfs, memory, processors, instructions, append, shared)
            guest = _Guest(machine, stdout, stderr, timeout, boot_seconds, silent_seconds)
            with contextlib.closing(guest):
                try:
                    return guest.wait()
                except harmless as error:
                    if timeout is not None:
                        timeout -= time.monotonic() - begun
                    if again is None or (timeout is not None and timeout <= 0):
                        raise
                    again(str(error))
                    again = None


class BootError(UserError):
    """The guest did not get as far as running the command."""


class HungError(UserError):
    """The guest hangs while the command runs; why one can: :data:`SILENT_SECONDS`."""


class _Guest:
    """A running guest, and what it has said so far."""

    def __init__(
        self,
        machine: Machine,
        stdout: int,
        stderr: int,
        timeout: float | None,
        boot_seconds: float,
        silent_seconds: float,
    ) -> None:
        self._machine = machine
        self._outputs = {Kind.STDOUT: stdout, Kind.STDERR: stderr}
        self._timeout = timeout
        self._boot_seconds = boot_seconds
        self._frames = FrameReader()
        self._started = False
        self._silent_seconds = silent_seconds
        self._heard = math.inf
        self._exit_code: int | None = None
        self._console = b""
        self._stalls = Stalls()
        self._line = b""
        self._complaints = b""
        self._limits = [time.monotonic() + boot_seconds]
        if timeout is not None:
            self._limits.append(time.monotonic() + timeout)
        self._panicked = False

    def close(self) -> None:
        """End QEMU."""
        self._machine.kill()

    def wait(self) -> int:
        """Forward output until the command or the guest has ended; return the command's exit code."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._machine.answers, selectors.EVENT_READ, self._answer)
            selector.register(self._machine.console, selectors.EVENT_READ, self._hear_console)
            assert self._machine.process.stderr is not None  # noqa: S101
            selector.register(self._machine.process.stderr, selectors.EVENT_READ, self._hear_qemu)
            while selector.get_map():
                hangs = self._heard + self._silent_seconds
                ready = selector.select(self._seconds_left(hangs))
                if not ready and self._seconds_left() == 0:
                    raise self._too_long()
                if not ready and time.monotonic() >= hangs:
                    raise self._hung(f"it has not sent a sign of life for {self._silent_seconds:g} s")
                for key, _ in ready:
                    data = _read(key.fd)
                    if not data:
                        selector.unregister(key.fileobj)
                    key.data(data)
                if self._exit_code is not None:
                    return self._exit_code
        raise self._ended_early()

    def _seconds_left(self, hangs: float = math.inf) -> float | None:
        end = min(*self._limits, hangs, math.inf)
        return None if end == math.inf else max(0.0, end - time.monotonic())

    def _answer(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            if frame.kind is Kind.STARTED:
                self._started = True
                self._limits = self._limits[1:]  # the boot's own limit
            elif frame.kind is Kind.EXITED:
                self._exit_code = frame.payload[0]
            elif frame.kind is not Kind.ALIVE:
                self._write(self._outputs[frame.kind], frame.payload)
        if self._started:  # and not before whoever reads our output has read: meanwhile we do not listen
            self._heard = time.monotonic()

    def _write(self, descriptor: int, data: bytes) -> None:
        """Write all of ``data``, but never wait for a reader longer than the guest may live."""
        while data:
            if not select.select([], [descriptor], [], self._seconds_left())[1]:
                raise self._too_long()
            # What a pipe that can be written to takes without blocking.
            written = os.write(descriptor, data[: select.PIPE_BUF])
            data = data[written:]

    def _hear_console(self, data: bytes) -> None:
        self._console = (self._console + data)[-_CONSOLE_BYTES:]
        if not self._panicked and _PANIC.search(self._console_text()):
            self._panicked = True
            self._limits = [time.monotonic() + _PANIC_SECONDS]
        *lines, self._line = (self._line[-_CONSOLE_BYTES:] + data).split(b"\n")
        stalled = any(self._stalls.hear(line.decode("utf-8", "replace")) for line in lines)
        if stalled and not self._panicked:
            raise self._hung("its kernel reported twice that RCU waits for a CPU")

    def _hear_qemu(self, data: bytes) -> None:
        self._complaints = (self._complaints + data)[-_CONSOLE_BYTES:]

    def _console_text(self) -> str:
        return _ESCAPES.sub("", self._console.decode("utf-8", "replace"))

    def _too_long(self) -> UserError:
        if self._panicked:
            return self._ended_early()
        if self._started:
            return self._error(
                f"the command did not end within {self._timeout:g} s (--timeout), and the VM was ended"
            )
        error = self._error(
            f"the VM did not get as far as running the command within {self._boot_seconds:g} s, and was ended"
        )
        return BootError(str(error), error.code)

    def _hung(self, sign: str) -> UserError:
        error = self._error(
            f"the guest hangs: {sign}, and the VM was ended; run it again, or with --repeatable"
        )
        return (HungError if self._started else BootError)(str(error), error.code)

    def _ended_early(self) -> UserError:
        """Say why QEMU ended without the command's exit code."""
        console = self._console_text()
        if panic := _PANIC.search(console):
            error = self._error(f"the guest's kernel panicked: {panic[1].strip()}")
            return error if self._started else BootError(str(error), error.code)
        if _INIT_MARK in console:
            reason = console.rsplit(_INIT_MARK, 1)[1].splitlines()[0].strip()
            return UserError(f"the VM cannot run the command: {reason}", Exit.CANNOT_TELL)
        complaints = self._complaints.decode("utf-8", "replace").strip().splitlines()
        if complaints and not self._started:
            return UserError(f"QEMU cannot start the VM: {complaints[-1]}", Exit.CANNOT_TELL)
        return self._error("the VM ended before the command did")

    def _error(self, sentence: str) -> UserError:
        lines = [line.rstrip() for line in self._console_text().splitlines() if line.strip()]
        said = "".join(f"\n  {line}" for line in lines[-_CONSOLE_LINES:]) or " nothing"
        return UserError(f"{sentence}; the last lines of its console:{said}", Exit.CANNOT_TELL)


def _read(descriptor: int) -> bytes:
    """Read what is there; a connection that QEMU's death reset is at its end like any other."""
    try:
        return os.read(descriptor, 1 << 16)
    except ConnectionResetError:
        return b""
