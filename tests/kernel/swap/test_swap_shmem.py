# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory swapped out and in: its entries are in the page cache, so do_swap_page() never sees them."""

from profiler.hooks.session import Session
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import brought_back, check, not_available, pages_read
from tests.kernel.swap.producer import Producer, Touched

P = 509


def _swap_in(session: Session, hooked: bool, producer: Producer) -> tuple[int, int, Touched]:
    """Out and in: how many came from the device and from the swap cache, by the producer."""
    producer.fill()
    producer.page_out()
    swapped, away = producer.swapped(), producer.in_core().count(False)
    before, read_before = session.snapshot(), devices.pages_read()
    touched = producer.touch(threads=3)
    seen, read = session.snapshot() - before, devices.pages_read() - read_before
    assert touched.wrong == 0
    assert producer.swapped() == 0
    assert swapped > P // 2
    if not hooked:
        not_available(session, seen)
        return away, swapped - away, touched
    check(session, seen, {}, brought_back(major=away, minor=swapped - away))
    assert pages_read(seen, "shmem") == (away, read)
    return away, swapped - away, touched


def test_compressed_memory_is_read_back_for_every_page(
    session: Session, hooked: bool, make: Make, zram: devices.Area
) -> None:
    with make("shmem", P) as producer, devices.read_ahead(0):
        away, _, touched = _swap_in(session, hooked, producer)
    assert away > P // 2
    assert touched.major == away


def test_what_is_in_the_swap_cache_is_minor(
    session: Session, hooked: bool, make: Make, disk_area: devices.Area
) -> None:
    with make("shmem", P) as producer, devices.read_ahead(0):
        producer.wait_for(disk_area.inflight)
        _, cached, touched = _swap_in(session, hooked, producer)
    assert cached > P // 2
    assert touched.major == 0
