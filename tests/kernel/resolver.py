# SPDX-License-Identifier: GPL-2.0-only
"""Makes every ioctl that resolves end in every way that it can, and counts its own: for test_resolve.

``resolver.py every`` prints its counts as JSON: {"copy": {"ok": 61, "EEXIST": 17, …}, …}.
``resolver.py asleep N`` lets N threads sleep inside UFFDIO_COPY, all at once.
"""

import ctypes as ct
import errno
import json
import mmap
import os
import select
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PAGE = mmap.PAGESIZE
LIBC = ct.CDLL(None, use_errno=True)
LIBC.ioctl.argtypes = (ct.c_int, ct.c_ulong, ct.c_void_p)
LIBC.mmap.restype = ct.c_void_p
LIBC.mmap.argtypes = (ct.c_void_p, ct.c_size_t, ct.c_int, ct.c_int, ct.c_int, ct.c_long)
LIBC.madvise.argtypes = (ct.c_void_p, ct.c_size_t, ct.c_int)
PRIVATE, SHARED, ANONYMOUS, LOW = 0x2, 0x1, 0x20, 0x40
MADV_DONTNEED = 4

API, REGISTER, UNREGISTER, UNKNOWN = 0xC018AA3F, 0xC020AA00, 0x8010AA01, 0xC010AA3E
NUMBERS = {
    "wake": 0x8010AA02,
    "copy": 0xC028AA03,
    "zeropage": 0xC020AA04,
    "move": 0xC028AA05,
    "writeprotect": 0xC018AA06,
    "continue": 0xC020AA07,
    "poison": 0xC020AA08,
}
MISSING, WP, MINOR = 1, 2, 4
EVENT_REMOVE = 1 << 3
FIONREAD = 0x541B

Tally = Counter[tuple[str, int]]


def map_pages(pages: int, flags: int = PRIVATE | ANONYMOUS, fd: int = -1, execute: bool = False) -> int:
    """Address of fresh pages."""
    address = LIBC.mmap(None, pages * PAGE, 3 | (4 if execute else 0), flags, fd, 0)
    if address in (None, ct.c_void_p(-1).value):
        raise OSError(ct.get_errno(), "mmap")
    return int(address)


def ioctl(fd: int, number: int, *words: int) -> int:
    """0, or the errno."""
    argument = struct.pack(f"<{len(words)}q", *words)
    return ct.get_errno() if LIBC.ioctl(fd, number, ct.create_string_buffer(argument, len(argument))) else 0


# push rbx; mov eax, 54 (ioctl of 32-bit code); mov ebx, edi; mov ecx, esi; int 0x80; pop rbx; ret
_COMPAT = bytes.fromhex("53 b836000000 89fb 89f1 cd80 5b c3")


class Compat:
    """ioctl(2) as 32-bit code calls it."""

    def __init__(self) -> None:
        code = map_pages(1, execute=True)
        ct.memmove(code, _COMPAT, len(_COMPAT))
        self._call = ct.CFUNCTYPE(ct.c_int, ct.c_uint, ct.c_uint, ct.c_uint)(code)
        self._argument = map_pages(1, PRIVATE | ANONYMOUS | LOW)

    def __call__(self, fd: int, number: int, *words: int) -> int:
        """0, or the errno."""
        ct.memmove(self._argument, struct.pack(f"<{len(words)}q", *words), 8 * len(words))
        return -int(self._call(fd, number, self._argument))


class Uffd:
    """A userfaultfd whose resolving ioctls are counted."""

    def __init__(self, tally: Tally, features: int = 0, call: Callable[..., int] = ioctl) -> None:
        self.fd = int(LIBC.syscall(323, os.O_CLOEXEC | os.O_NONBLOCK))
        if self.fd < 0:
            raise OSError(ct.get_errno(), "userfaultfd")
        self._tally = tally
        self._call = call
        # Too early is an error of the ioctl as well.
        self.times(3, "wake", map_pages(1), PAGE)
        self._setup(API, 0xAA, features, 0)

    def _setup(self, number: int, *words: int) -> None:
        error = ioctl(self.fd, number, *words)
        if error:
            raise OSError(error, hex(number))

    def register(self, address: int, pages: int, mode: int) -> int:
        """Register, and give the address back."""
        self._setup(REGISTER, address, pages * PAGE, mode, 0)
        return address

    def unregister(self, address: int, pages: int) -> None:
        """As its name says."""
        self._setup(UNREGISTER, address, pages * PAGE)

    def __call__(self, op: str, *words: int) -> int:
        """One resolving ioctl: 0, or the errno."""
        error = self._call(self.fd, NUMBERS[op], *words)
        self._tally[op, error] += 1
        return error

    def times(self, count: int, op: str, *words: int) -> None:
        """The same ``count`` times."""
        for _ in range(count):
            self(op, *words)


def shmem(pages: int) -> int:
    """Pages of a memfd that are in the page cache and not mapped."""
    fd = os.memfd_create("resolver")
    os.write(fd, b"\x5a" * pages * PAGE)
    return map_pages(pages, SHARED, fd)


def fills(uffd: Uffd, scale: int) -> None:
    """Copy, zeropage, poison: a page each, the same page again, two of which the second is there."""
    source = map_pages(2)
    ct.memset(source, 1, 2 * PAGE)
    for op, pages in (("copy", 7 * scale), ("zeropage", 5 * scale), ("poison", 3 * scale)):
        from_ = (source,) if op == "copy" else ()
        base = uffd.register(map_pages(pages + 2), pages + 2, MISSING)
        for page in range(1, pages + 1):
            uffd(op, base + page * PAGE, *from_, PAGE, 0, 0)
        uffd.times(2 * scale, op, base + PAGE, *from_, PAGE, 0, 0)
        uffd(op, base, *from_, 2 * PAGE, 0, 0)  # the first of the two is filled by this
        uffd.times(3, op, base + 1, *from_, PAGE, 0, 0)
        uffd.times(2, op, base, *from_, PAGE, 1 << 20, 0)


def continues(uffd: Uffd, scale: int) -> None:
    """Pages that are in the page cache; one that is mapped already; one that is in no cache."""
    pages = 11 * scale
    base = uffd.register(shmem(pages + 2), pages + 2, MINOR)
    for page in range(1, pages + 1):
        uffd("continue", base + page * PAGE, PAGE, 0, 0)
    uffd.times(5 * scale, "continue", base + PAGE, PAGE, 0, 0)
    uffd("continue", base, 2 * PAGE, 0, 0)
    fd = os.memfd_create("hole")
    os.truncate(fd, PAGE)
    hole = uffd.register(map_pages(1, SHARED, fd), 1, MINOR)
    uffd.times(scale, "continue", hole, PAGE, 0, 0)


def moves(uffd: Uffd, scale: int) -> None:
    """From a page that is there; from a hole; onto one that is there."""
    pages = 5 * scale
    target = uffd.register(map_pages(pages + 2), pages + 2, MISSING)
    source = map_pages(pages + 2)
    ct.memset(source, 2, (pages + 2) * PAGE)
    for page in range(1, pages + 1):
        uffd("move", target + page * PAGE, source + page * PAGE, PAGE, 0, 0)
    uffd.times(scale, "move", target + (pages + 1) * PAGE, source + PAGE, PAGE, 0, 0)
    uffd.times(2 * scale, "move", target + PAGE, source + (pages + 1) * PAGE, PAGE, 0, 0)
    ct.memset(source, 3, 2 * PAGE)
    uffd("move", target, source, 2 * PAGE, 0, 0)


def protects_and_wakes(uffd: Uffd, scale: int) -> None:
    """Both on memory that is registered, and on none."""
    base = uffd.register(map_pages(2), 2, WP | MISSING)
    for mode in (1, 0):
        uffd.times(3 * scale, "writeprotect", base, PAGE, mode)
    uffd.times(scale, "writeprotect", base + 1, PAGE, 0)
    uffd.times(2 * scale, "writeprotect", map_pages(1), PAGE, 0)
    uffd.times(7 * scale, "wake", base, 2 * PAGE)
    uffd.times(2 * scale, "wake", base, 0)


def while_the_address_space_changes(tally: Tally, scale: int) -> None:
    """A thread that removes pages waits until its event is read; till then nothing can be resolved."""
    uffd = Uffd(tally, EVENT_REMOVE)
    base = uffd.register(map_pages(4), 4, MISSING | WP)
    remover = threading.Thread(target=LIBC.madvise, args=(base + PAGE, PAGE, MADV_DONTNEED))
    remover.start()
    if not select.select([uffd.fd], [], [], 60)[0]:
        raise TimeoutError("no event of madvise")
    for op, words in (
        ("copy", (base, base, PAGE, 0, 0)),
        ("zeropage", (base, PAGE, 0, 0)),
        ("writeprotect", (base, PAGE, 0)),
        ("continue", (base, PAGE, 0, 0)),
        ("poison", (base, PAGE, 0, 0)),
        ("move", (base, base, PAGE, 0, 0)),
        ("wake", (base, PAGE)),
    ):
        uffd.times(13 * scale, op, *words)
    os.read(uffd.fd, 32)
    remover.join()


def not_ours(uffd: Uffd, base: int) -> None:
    """Ioctls that are none that resolve, and those that are, of what is no userfaultfd: not counted."""
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    for number in NUMBERS.values():
        for fd, wanted in ((null, errno.ENOTTY), (reader, errno.ENOTTY), (9999, errno.EBADF)):
            found = ioctl(fd, number, base, base, PAGE, 0, 0)
            if found != wanted:
                raise OSError(found, f"{number:#x}")
    ioctl(uffd.fd, UNKNOWN, base, PAGE)
    ioctl(uffd.fd, NUMBERS["copy"] & 0xFFFF, base, PAGE)
    ioctl(reader, FIONREAD, 0)
    for fd in (reader, writer, null):
        os.close(fd)


def everything(tally: Tally, scale: int, call: Callable[..., int] = ioctl) -> None:
    """All of it by one thread."""
    uffd = Uffd(tally, call=call)
    fills(uffd, scale)
    continues(uffd, scale)
    moves(uffd, scale)
    protects_and_wakes(uffd, scale)
    base = uffd.register(map_pages(1), 1, MISSING)
    not_ours(uffd, base)
    uffd.unregister(base, 1)
    uffd.times(3, "copy", base, base, PAGE, 0, 0)
    while_the_address_space_changes(tally, scale)


def every() -> Tally:
    """By four threads at once, and by 32-bit calls."""
    tallies: list[Tally] = [Counter() for _ in range(4)]
    threads = [
        threading.Thread(target=everything, args=(tally, scale))
        for tally, scale in zip(tallies, (1, 3, 5, 7), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    compat: Tally = Counter()
    everything(compat, 2, Compat())
    return sum((*tallies, compat), start=Counter())


def asleep(count: int, seconds: float = 0.3) -> Tally:
    """Copies whose source page is itself a userfault, of another userfaultfd, all at once."""
    tally: Tally = Counter()
    tallies: list[Tally] = [Counter() for _ in range(count)]
    inner = Uffd(tally)
    sources = inner.register(map_pages(count), count, MISSING)
    filler = map_pages(1)
    threads = []
    for n in range(count):
        uffd = Uffd(tallies[n])
        target = uffd.register(map_pages(1), 1, MISSING)
        words = ("copy", target, sources + n * PAGE, PAGE, 0, 0)
        threads.append(threading.Thread(target=uffd, args=words))
    for thread in threads:
        thread.start()
    info = Path(f"/proc/self/fdinfo/{inner.fd}")
    deadline = time.monotonic() + 60
    while f"total:\t{count}\n" not in info.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(info.read_text())
        time.sleep(0.01)
    time.sleep(seconds)
    for n in range(count):
        inner("copy", sources + n * PAGE, filler, PAGE, 0, 0)
    for thread in threads:
        thread.join()
    return sum(tallies, start=tally)


def main() -> None:
    """Do what is asked, and print the counts."""
    tally = every() if sys.argv[1] == "every" else asleep(int(sys.argv[2]))
    found: dict[str, dict[str, int]] = {op: {} for op in NUMBERS}
    for (op, error), count in sorted(tally.items()):
        found[op]["ok" if error == 0 else errno.errorcode[error]] = count
    print(json.dumps(found))


if __name__ == "__main__":
    main()
