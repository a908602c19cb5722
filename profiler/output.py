# SPDX-License-Identifier: GPL-2.0-only
"""Output files, opened while the privileges for it are still there."""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from .errors import Exit, UserError


class Output:
    """A file to be written at the end; ``-`` is standard output.

    Opened, and so refused, before anything is attached: nobody profiles for an hour to be told that the
    file exists.

    :param path: where to write.
    :param force: overwrite.
    :raises UserError: when it exists already, or cannot be written.
    """

    def __init__(self, path: str, force: bool) -> None:
        self.path = path
        self._fd: int | None = None
        self._created = False
        if path == "-":
            return
        try:
            self._fd = self._open(force)
        except FileExistsError:
            raise UserError(
                f"The output file {path} exists already; give another name, or --force to overwrite it.",
                Exit.OUTPUT,
            ) from None
        except OSError as error:
            raise UserError(
                f"The output file {path} cannot be written: {error.strerror}; give another name.",
                Exit.OUTPUT,
            ) from error

    def _open(self, force: bool) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self.path, flags | os.O_EXCL, 0o644)
            self._created = True
        except FileExistsError:
            if not force:
                raise
            # Not truncated yet: a run that fails leaves the old content.
            fd = os.open(self.path, flags, 0o644)
        return fd

    def write(self, text: str) -> None:
        """Write everything and close.

        :raises UserError: when the disk is full, or the like.
        """
        if self._fd is None:
            write_stdout(text)
            return
        fd, self._fd = self._fd, None
        # What the encoding lacks is a byte of a command line that is no UTF-8.
        data = text.encode(errors="backslashreplace")
        try:
            _replace_content(fd, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._remove()
            raise UserError(
                f"The output file {self.path} cannot be written: {error.strerror}; free some room or "
                "give another name.",
                Exit.OUTPUT,
            ) from error
        finally:
            os.close(fd)

    def discard(self) -> None:
        """Leave no empty file behind when there is nothing to write."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._remove()

    def _remove(self) -> None:
        if self._created:
            with suppress(OSError):
                Path(self.path).unlink()


def write_stdout(text: str) -> None:
    """Write to standard output now, while a failure can still be told.

    :raises UserError: when it is closed, or the disk behind it is full.
    :raises BrokenPipeError: when its reader went away.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if sys.stdout is not None:
            forget_stdout()
        raise UserError(
            f"The standard output cannot be written: {error.strerror}; free some room or give a file name.",
            Exit.OUTPUT,
        ) from error


def forget_stdout() -> None:
    """What the buffer still holds shall raise nothing at the end of the interpreter."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _replace_content(fd: int, data: bytes) -> None:
    """All of it or nothing: half a JSON file is worse than an empty one."""
    regular = stat.S_ISREG(os.fstat(fd).st_mode)
    if regular:
        os.ftruncate(fd, 0)
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        if regular:
            os.ftruncate(fd, 0)
        raise
