# SPDX-License-Identifier: GPL-2.0-only
"""Pages touched while they are moved: each waits for its migration entry, and touches again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from profiler.hooks.session import Session
from profiler.pte.kinds import MIGRATION
from profiler.pte.layout import Layout
from tests.kernel.observer import calls_of
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import check, not_available

P = 127
ROUNDS = 4
ATTEMPTS = 50
CHILDREN = 64
"""Of a page that so many have mapped, the migration entries stay until all of them were visited."""

NODES = Path("/sys/devices/system/node")


@pytest.fixture(params=["move_pages", "soft_offline"])
def how(request: pytest.FixtureRequest) -> str:
    """What moves the pages: move_pages(2), or madvise(MADV_SOFT_OFFLINE)."""
    chosen: str = request.param
    if chosen == "move_pages" and len(list(NODES.glob("node[0-9]*"))) < 2:
        pytest.fail("one NUMA node: give the VM a second, by --append=numa=fake=2")
    return chosen


@pytest.mark.parametrize("protected", [False, True], ids=["plain", "uffd-wp"])
def test_every_wait_for_a_page_that_is_moved(
    session: Session, hooked: bool, make: Make, how: str, protected: bool
) -> None:
    with make("anon", P) as producer, calls_of("migration_entry_wait") as waits:
        producer.fill()
        if protected:
            producer.register()
            producer.protect()
        before, waited_before = session.snapshot(), waits()
        for _ in range(ATTEMPTS):  # whether a thread meets a page on its way is chance
            moved = producer.migrate(how, threads=2, rounds=ROUNDS)
            assert moved.moved > P
            assert moved.wrong == moved.sigbus == moved.sigsegv == 0
            if waits() > waited_before:
                break
        seen, waited = session.snapshot() - before, waits() - waited_before
    assert waited > 0
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, {("migration", "yes" if protected else "no", "retried"): waited})


def test_a_migration_entry_holds_the_frame_that_the_page_leaves(make: Make, layout: Layout) -> None:
    found = 0
    with make("anon", P) as producer, ThreadPoolExecutor(1) as beside:
        producer.fill()
        producer.share(CHILDREN)
        for _ in range(ATTEMPTS):
            frames = [entry.pfn for entry in producer.entries(layout)]
            moving = beside.submit(producer.migrate, "soft_offline", 1, 1)
            while not moving.done():
                for page, entry in producer.entries_away(layout):
                    if entry.kind in MIGRATION:
                        found += 1
                        assert entry.pfn == frames[page]
            if found:
                break
    assert found > 0
