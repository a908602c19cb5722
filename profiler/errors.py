# SPDX-License-Identifier: GPL-2.0-only
"""What a user can cause is a :class:`UserError`: one sentence and an exit code, never a traceback.

The sentence says what happened, to which object, and how to go on.
``profiler.__main__`` is the only place that catches it.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command, documented in README.md."""

    OK = 0
    AGAINST_POLICY = 1
    USAGE = 2
    CANNOT_TELL = 3
    CANNOT_ATTACH = 4
    OUTPUT = 5


class UserError(Exception):
    """Something the user can mend; ``str(error)`` is the sentence printed.

    :param message: what happened, to which object, how to go on.
    :param code: exit code of the process.
    """

    def __init__(self, message: str, code: int = Exit.USAGE) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])
