# SPDX-License-Identifier: GPL-2.0-only
"""Pages that must not be touched: broken memory, poison markers, guard regions."""

import errno

from profiler.hooks.session import Session
from profiler.pte.entry import Entry
from profiler.pte.layout import Layout
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import check, expected, not_available
from tests.kernel.swap.producer import DONTNEED, GUARD_INSTALL, HWPOISON

P, BROKEN = 101, 13


def _knows(layout: Layout, marker: str) -> bool:
    return any(marker in numbers.markers for numbers in layout.candidates)


def _gone(entries: list[Entry]) -> dict[int, str | None]:
    return {page: entry.kind for page, entry in enumerate(entries) if not entry.present}


def test_broken_memory_is_poisoned(session: Session, hooked: bool, make: Make, layout: Layout) -> None:
    with make("anon", P) as producer:
        producer.fill()
        frames = [entry.pfn for entry in producer.entries(layout)]
        for page in range(BROKEN):
            assert producer.advise(HWPOISON, 7 * page, 1) == 0
        entries = producer.entries(layout)
        before = session.snapshot()
        touched = producer.touch(threads=3)
        seen = session.snapshot() - before
    broken = {page: entry for page, entry in enumerate(entries) if entry.kind == "hwpoison"}
    assert list(broken) == [7 * page for page in range(BROKEN)]
    assert [entry.pfn for entry in broken.values()] == [frames[page] for page in broken]
    assert (touched.sigbus, touched.sigsegv) == (BROKEN, 0)
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("hwpoison", False, poisoned=BROKEN))


def test_poison_markers_are_poisoned(session: Session, hooked: bool, make: Make, layout: Layout) -> None:
    with make("anon", P) as producer:
        producer.fill()
        producer.register()
        assert producer.advise(DONTNEED, 7, BROKEN) == 0
        refused = producer.poison(7, BROKEN)
        if refused:
            assert refused == errno.EINVAL
            assert not _knows(layout, "poison")
            return
        entries = producer.entries(layout)
        before = session.snapshot()
        touched = producer.touch(threads=3)
        seen = session.snapshot() - before
    assert _gone(entries) == dict.fromkeys(range(7, 7 + BROKEN), "marker_poison")
    assert (touched.sigbus, touched.sigsegv) == (BROKEN, 0)
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("marker_poison", False, poisoned=BROKEN))


def test_guard_regions_are_errors(session: Session, hooked: bool, make: Make, layout: Layout) -> None:
    with make("anon", P) as producer:
        producer.fill()
        refused = producer.advise(GUARD_INSTALL, 7, BROKEN)
        if refused:
            assert refused == errno.EINVAL
            assert not _knows(layout, "guard")
            return
        entries = producer.entries(layout)
        before = session.snapshot()
        touched = producer.touch(threads=3)
        seen = session.snapshot() - before
    assert _gone(entries) == dict.fromkeys(range(7, 7 + BROKEN), "marker_guard")
    assert (touched.sigbus, touched.sigsegv) == (0, BROKEN)
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("marker_guard", False, error=BROKEN))
