# SPDX-License-Identifier: GPL-2.0-only
"""Run in a VM: how many pages one first read maps, in each mode, by pagemap and without any probe.

Prints a line for each mode: its name, and the number of pages present.
"""

import ctypes as ct
import fcntl
import mmap
import os
import signal
import struct
from pathlib import Path

from profiler.kernel import userfaultfd

PAGE = 4096
PAGES = 256
_UFFDIO_CONTINUE = 0xC020AA07  # include/uapi/linux/userfaultfd.h
_MSG_BYTES = 32
_PRESENT = 1 << 63  # Documentation/admin-guide/mm/pagemap.rst


def main() -> None:
    for mode in ("none", "missing", "wp", "minor"):
        print(mode, present_after_one_read(mode))


def present_after_one_read(mode: str) -> int:
    """Read one page of shared memory, all of which is in the page cache; return how many are mapped then."""
    file = os.memfd_create("touched")
    os.pwrite(file, b"x" * (PAGE * PAGES), 0)
    memory = mmap.mmap(file, PAGE * PAGES)
    start = userfaultfd.address(memory)
    uffd = userfaultfd.open_userfaultfd()
    userfaultfd.features(uffd, 0)
    if mode != "none":
        userfaultfd.register(uffd, memory, mode)
    handler = os.fork()
    if not handler:
        resolve(uffd)
    middle = start + PAGES // 2 * PAGE
    assert ct.c_char.from_address(middle).value == b"x"
    os.kill(handler, signal.SIGKILL)
    os.waitpid(handler, 0)
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
        entries = os.pread(pagemap.fileno(), 8 * PAGES, start // PAGE * 8)
    os.close(uffd)
    return sum(bool(entry & _PRESENT) for (entry,) in struct.iter_unpack("<Q", entries))


def resolve(uffd: int) -> None:
    """Map the page that a userfault asks for, until killed. A process of its own: who reads holds the GIL."""
    os.set_blocking(uffd, True)
    while True:
        message = os.read(uffd, _MSG_BYTES)
        (address,) = struct.unpack_from("<Q", message, 16)
        fcntl.ioctl(uffd, _UFFDIO_CONTINUE, struct.pack("<QQQq", address // PAGE * PAGE, PAGE, 0, 0))


if __name__ == "__main__":
    main()
