# SPDX-License-Identifier: GPL-2.0-only
"""Errors travel from the child that runs the workload."""

import pickle

from profiler.errors import Exit, UserError
from profiler.workload.run import UnavailableError


def test_errors_survive_the_pipe() -> None:
    unavailable = pickle.loads(pickle.dumps(UnavailableError("no MINOR mode here")))  # noqa: S301
    assert isinstance(unavailable, UnavailableError)
    assert (str(unavailable), unavailable.code) == ("no MINOR mode here", Exit.CANNOT_TELL)
    other = pickle.loads(pickle.dumps(UserError("broken", Exit.OUTPUT)))  # noqa: S301
    assert (str(other), other.code) == ("broken", Exit.OUTPUT)
