# SPDX-License-Identifier: GPL-2.0-only
"""Output files, opened while the privileges for it are still there."""

import os
import sys
from contextlib import suppress
from typing import TextIO

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
        try:
            if self._fd is None:
                sys.stdout.write(text)
                sys.stdout.flush()
                return
            os.ftruncate(self._fd, 0) if _is_regular(self._fd) else None
            stream: TextIO
            with os.fdopen(self._fd, "w", encoding="utf-8") as stream:
                stream.write(text)
            self._fd = None
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(
                f"The output file {self.path} cannot be written: {error.strerror}; free some room or "
                "give another name.",
                Exit.OUTPUT,
            ) from error

    def discard(self) -> None:
        """Leave no empty file behind when there is nothing to write."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            if self._created:
                with suppress(OSError):
                    os.unlink(self.path)


def _is_regular(fd: int) -> bool:
    import stat

    return stat.S_ISREG(os.fstat(fd).st_mode)
