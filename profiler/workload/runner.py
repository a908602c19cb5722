# SPDX-License-Identifier: GPL-2.0-only
"""A child that keeps the caller's identity and runs the workload, case by case, on request.

Forked before this process gives up its privileges: like a profiled command, the workload runs as whoever
called, and can be executed wherever the caller could.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from ..errors import UserError
from .result import Result
from .run import Options, UnavailableError, gated, run


class Held:
    """A workload at its gate; see :meth:`Runner.held`."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._touched = False

    def touch(self) -> None:
        """Let it touch; returns when it has."""
        self._channel.send("touch")
        self._touched = True
        _answer(self._channel)

    def result(self) -> Result:
        """Let it end; it touches first, if nobody called :meth:`touch`."""
        if not self._touched:
            self.touch()
        self._channel.send("result")
        return _answer(self._channel)


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
        self._ours.send((options, False))
        return _answer(self._ours)

    @contextmanager
    def held(self, options: Options) -> Iterator[Held]:
        """A case whose setting up is over and whose touches have not begun; it ends with the block.

        :raises UnavailableError: as :meth:`run`.
        :raises UserError: as :meth:`run`.
        """
        self._ours.send((options, True))
        _answer(self._ours)
        try:
            yield Held(self._ours)
        finally:
            self._ours.send("over")
            _answer(self._ours)

    def close(self) -> None:
        """End the child."""
        self._ours.close()
        self._process.join()


def _answer(channel: Connection) -> Result:
    answer: Result | UserError = channel.recv()
    if isinstance(answer, UserError):
        raise answer
    return answer


def _serve(channel: Connection, other_end: Connection) -> None:
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while True:
        try:
            options, is_held = channel.recv()
        except EOFError:
            return
        try:
            if is_held:
                _hold(channel, options)
            else:
                channel.send(run(options))
        except UnavailableError as error:
            channel.send(UnavailableError(str(error)))
        except UserError as error:
            channel.send(error)
        except EOFError:
            return


def _hold(channel: Connection, options: Options) -> None:
    """Do what is asked of a workload at its gate; every message gets one answer."""
    with gated(options) as workload:
        channel.send(None)
        failure: UserError | None = None
        while (wish := channel.recv()) != "over":
            answer: Result | UserError | None = failure
            if failure is None:
                try:
                    answer = workload.touch() if wish == "touch" else workload.result()  # type: ignore[func-returns-value]
                except UserError as error:
                    answer = failure = error
            channel.send(answer)
    channel.send(None)
