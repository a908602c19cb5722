# SPDX-License-Identifier: GPL-2.0-only
"""This test process, which is not counted, swapping beside those that are."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.kernel.swap.producer import PAGEOUT

PAGES = 31


@contextmanager
def noise() -> Iterator[None]:
    """Swap out and in, over and over, until the block ends; at least once."""
    over = Event()

    def swap() -> None:
        with mmap.mmap(-1, PAGES * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            while True:
                for page in range(PAGES):
                    memory[page * mmap.PAGESIZE] = 1 + memory[page * mmap.PAGESIZE + 1]
                memory.madvise(PAGEOUT)
                if over.is_set():
                    return

    thread = Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
