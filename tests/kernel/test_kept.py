# SPDX-License-Identifier: GPL-2.0-only
"""A start that finds its programs compiled counts like any other."""

import os
from collections.abc import Sequence
from typing import NoReturn

import pytest

from profiler.errors import Exit, UserError
from profiler.hooks import compiling, kept
from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.workload.run import Options
from tests.kernel.emulated import run

PAGES = 127


def _refuse(source: str, options: Sequence[str]) -> NoReturn:
    raise RuntimeError("nobody compiles here")


def test_the_second_start_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request({os.getpid(): FOLLOWED})
    with Session(request) as first:
        plan = first.plan
    # The attaching child is forked from this process: what is replaced here is replaced there.
    monkeypatch.setattr(compiling, "compile_source", _refuse)
    with Session(request) as second:
        assert second.plan == plan
        before = second.snapshot()
        result = run(Options(backing="anon", mode="missing", access="write", pages=PAGES))
        seen = second.snapshot() - before
    assert seen.total("userfault", reason="missing").count == result.expected_userfaults.missing == PAGES
    monkeypatch.setattr(kept, "FOLDERS", ())
    with pytest.raises(UserError, match=r"BCC cannot compile the programs of .*: RuntimeError") as error:
        Session(request)
    assert error.value.code == Exit.CANNOT_ATTACH
