# SPDX-License-Identifier: GPL-2.0-only
"""A kernel of whose numbers nothing can be read: what cannot be told apart is counted as one."""

import os

import pytest

from profiler.hooks.processes import FOLLOWED
from profiler.hooks.request import Request
from profiler.hooks.session import Session
from profiler.pte import config, from_kernel
from profiler.pte.layout import Facts
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import check
from tests.kernel.swap.producer import HWPOISON

P, BROKEN = 101, 13


def test_kinds_in_doubt_are_counted_as_special(
    make: Make, zram: devices.Area, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The attaching child is forked from this process: what is hidden here is hidden there.
    monkeypatch.setattr(config, "of_running_kernel", lambda: None)
    monkeypatch.setattr(from_kernel, "_of_btf", lambda: None)
    monkeypatch.setattr(from_kernel, "_of_functions", lambda _: Facts())
    layout = from_kernel.running()
    with Session(Request({os.getpid(): FOLLOWED})) as session, make("anon", P) as producer:
        producer.fill()
        producer.page_out()
        assert producer.advise(HWPOISON, 0, BROKEN) == 0
        # Of hundreds of candidates, decoding takes long when emulated.
        entries = producer.entries(layout, 2 * BROKEN)
        before = session.snapshot()
        touched = producer.touch(threads=3)
        seen = session.snapshot() - before
        doubts = session.kernel.pte_doubts
    assert ["hwpoison" in entry.kinds for entry in entries] == [True] * BROKEN + [False] * BROKEN
    assert [len(entry.kinds) > 1 for entry in entries] == [True] * BROKEN + [False] * BROKEN
    assert "The kernel's configuration cannot be read." in doubts
    assert any(doubt.startswith("Not told apart: ") for doubt in doubts)
    assert touched.sigbus == BROKEN
    swapped = touched.away + touched.cached - BROKEN
    assert swapped > P // 2
    made: dict[tuple[str, ...], int] = {
        ("special", "no", "poisoned"): BROKEN,
        ("swap_slot", "no", "major"): swapped,
    }
    check(session, seen, made)
