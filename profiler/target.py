# SPDX-License-Identifier: GPL-2.0-only
"""What is profiled: a command held back until everything is attached, or processes that run already."""

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress

from .errors import UserError

NOT_EXECUTABLE = 126
NOT_FOUND = 127


class HeldCommand:
    """A forked child that waits for :meth:`release` before it executes the command.

    It keeps the identity and the privileges of the caller, whatever this process gives up later.

    :raises UserError: when there is no such command, with a shell's exit code for it.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        found = shutil.which(argv[0])
        if found is None:
            if os.path.exists(argv[0]):  # noqa: PTH110
                lack = "it is a directory" if os.path.isdir(argv[0]) else "it has no execute permission"  # noqa: PTH112
                raise UserError(
                    f"The command {argv[0]!r} cannot be executed: {lack}; check it with `ls -l`.",
                    NOT_EXECUTABLE,
                )
            raise UserError(
                f"The command {argv[0]!r} was not found; check its name, or give its path.", NOT_FOUND
            )
        go_read, self._go = os.pipe2(os.O_CLOEXEC)
        self._failed, failed_write = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            self._become(found, go_read, failed_write)
        os.close(go_read)
        os.close(failed_write)
        self.pidfd = os.pidfd_open(self.pid)
        self.exit_code: int | None = None

    def _become(self, path: str, go: int, failed: int) -> None:
        try:
            os.close(self._go)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            if os.read(go, 1):  # an end of file: the profiler is gone, and so are we
                os.execv(path, self.argv)  # noqa: S606
        except OSError as error:
            os.write(failed, (error.errno or 0).to_bytes(4, "little"))
        finally:
            os._exit(NOT_EXECUTABLE)

    def release(self) -> None:
        """Let the command run.

        :raises UserError: when the kernel cannot execute it.
        """
        os.write(self._go, b"g")
        os.close(self._go)
        code = os.read(self._failed, 4)
        os.close(self._failed)
        if code:
            self.reap()
            reason = os.strerror(int.from_bytes(code, "little"))
            raise UserError(
                f"The command {self.argv[0]!r} cannot be executed: {reason}; check it with `file`.",
                NOT_EXECUTABLE,
            )

    def abandon(self) -> None:
        """Never run the command: the child ends by itself."""
        os.close(self._go)
        os.close(self._failed)
        self.reap()

    def reap(self) -> int:
        """Wait for the end; returns the exit code as a shell gives it: 128 plus the signal."""
        if self.exit_code is None:
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self.exit_code = code if code >= 0 else 128 - code
        return self.exit_code


def watch(pids: Sequence[int]) -> list[int]:
    """A pidfd for each process: readable when it has ended.

    :raises UserError: when one does not exist.
    """
    fds: list[int] = []
    for pid in pids:
        try:
            fds.append(os.pidfd_open(pid))
        except (OSError, OverflowError) as error:
            for fd in fds:
                with suppress(OSError):
                    os.close(fd)
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(
                f"There is no process with PID {pid} ({reason}); look it up with `ps`."
            ) from error
    return fds
