# SPDX-License-Identifier: GPL-2.0-only
"""A child that keeps the caller's identity and runs the workload, case by case, on request.

Forked before this process gives up its privileges: like a profiled command, the workload runs as whoever
called, and can be executed wherever the caller could.
"""

import multiprocessing
import signal
from multiprocessing.connection import Connection

from ..errors import UserError
from .result import Result
from .run import Options, UnavailableError, run


class Runner:
    """Runs one case at a time; its process id is the root of everything that is run."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._ours), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        assert self._process.pid is not None  # noqa: S101
        return self._process.pid

    def run(self, options: Options) -> Result:
        """Run one case to its end.

        :raises UnavailableError: when this kernel cannot do it.
        :raises UserError: when the workload failed.
        """
        self._ours.send(options)
        answer: Result | UserError = self._ours.recv()
        if isinstance(answer, UserError):
            raise answer
        return answer

    def close(self) -> None:
        """End the child."""
        self._ours.close()
        self._process.join()


def _serve(channel: Connection, other_end: Connection) -> None:
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while True:
        try:
            options = channel.recv()
        except EOFError:
            return
        answer: Result | UserError
        try:
            answer = run(options)
        except UnavailableError as error:
            answer = UnavailableError(str(error))
        except UserError as error:
            answer = error
        channel.send(answer)
