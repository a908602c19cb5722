# SPDX-License-Identifier: GPL-2.0-only
"""Anonymous memory swapped out and in: from the device or the swap cache, and what is read ahead."""

import pytest

from profiler.hooks.session import Session
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import check, expected, not_available, pages_read
from tests.kernel.swap.noise import noise
from tests.kernel.swap.producer import Access

P = 509


@pytest.mark.parametrize("protected", [False, True], ids=["plain", "uffd-wp"])
@pytest.mark.parametrize("access", ["read", "write"])
def test_compressed_memory_is_read_back_for_every_page(
    session: Session, hooked: bool, make: Make, zram: devices.Area, protected: bool, access: Access
) -> None:
    with make("anon", P) as producer, devices.read_ahead(0), noise():
        producer.fill()
        if protected:
            producer.register()
            producer.protect()
        producer.page_out()
        before = session.snapshot()
        touched = producer.touch(access, threads=3)
        seen = session.snapshot() - before
    assert touched.wrong == 0
    assert touched.away > P // 2
    assert touched.wp == (P if protected and access == "write" else 0)
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("swap_slot", protected, major=touched.away, minor=touched.cached))
    assert pages_read(seen, "swap_entry") == (touched.away, touched.away)
    if not touched.wp:
        # A wait for user space is accounted as major by some kernels (mm_account_fault(), mm/memory.c).
        assert touched.major == touched.away


@pytest.mark.parametrize("protected", [False, True], ids=["plain", "uffd-wp"])
def test_what_is_in_the_swap_cache_is_minor_and_what_was_dropped_is_major(
    session: Session, hooked: bool, make: Make, disk_area: devices.Area, protected: bool
) -> None:
    with make("anon", P) as producer, devices.read_ahead(0):
        producer.wait_for(disk_area.inflight)
        producer.fill()
        if protected:
            producer.register()
            producer.protect()
        producer.page_out()
        before = session.snapshot()
        first = producer.touch(threads=3)
        between = session.snapshot()
        # Clean, and its slot is kept: it leaves the swap cache without being written again.
        producer.page_out()
        second = producer.touch(threads=3)
        after = session.snapshot()
    assert first.wrong == second.wrong == 0
    assert first.cached > P // 2
    assert second.away > P // 2
    if not hooked:
        not_available(session, after - before)
        return
    for touched, seen in ((first, between - before), (second, after - between)):
        check(session, seen, expected("swap_slot", protected, major=touched.away, minor=touched.cached))
        assert touched.major == touched.away
        assert pages_read(seen, "swap_entry") == (touched.away, touched.away)


def test_a_userfault_does_not_hide_that_the_page_was_in_the_swap_cache(
    session: Session, hooked: bool, make: Make, disk_area: devices.Area
) -> None:
    with make("anon", P) as producer, devices.read_ahead(0):
        producer.wait_for(disk_area.inflight)
        producer.fill()
        producer.register()
        producer.protect()
        producer.page_out()
        before = session.snapshot()
        touched = producer.touch("write", threads=3)
        seen = session.snapshot() - before
    assert touched.cached > P // 2
    assert touched.wp == P
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("swap_slot", True, major=touched.away, minor=touched.cached))


def test_pages_read_ahead_are_counted_and_are_minor_when_touched(
    session: Session, hooked: bool, make: Make, disk_area: devices.Area
) -> None:
    with make("anon", P) as producer, devices.read_ahead(3):
        producer.wait_for(disk_area.inflight)
        producer.fill()
        producer.page_out()
        producer.touch()
        producer.page_out()
        absent = producer.in_core().count(False)
        before, read_before = session.snapshot(), devices.pages_read()
        touched = producer.touch()
        seen, read = session.snapshot() - before, devices.pages_read() - read_before
        assert producer.in_core().count(False) == 0
    assert read == absent > P // 2
    assert 0 < touched.away < absent // 2
    if not hooked:
        not_available(session, seen)
        return
    check(session, seen, expected("swap_slot", False, major=touched.away, minor=touched.cached))
    assert pages_read(seen, "swap_entry") == (touched.away, absent)
    assert touched.away + touched.cached == touched.major + touched.minor
