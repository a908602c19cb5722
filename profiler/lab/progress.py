# SPDX-License-Identifier: GPL-2.0-only
"""Tells a waiting user what is being done: one changing line on a terminal, one line for good elsewhere."""

import shutil
import sys
from types import TracebackType
from typing import Self, TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """Speaks on stderr while its ``with`` block runs.

    :param note: what is begun and how long it takes; all that a stream which is no terminal gets.
    """

    def __init__(self, note: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._note = note

    def __enter__(self) -> Self:
        print(self._note, file=self._stream, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            print(_CLEAR, end="", file=self._stream, flush=True)

    def say(self, doing: str) -> None:
        """Put ``doing`` in place of what was said before."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(_CLEAR + doing.expandtabs(1)[:width], end="", file=self._stream, flush=True)
