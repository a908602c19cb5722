# SPDX-License-Identifier: GPL-2.0-only
"""A process that makes page table entries on purpose, and knows of them without any BPF: producer.c.

Run as a program, it compiles that for the guests, which then need not: see :func:`build`.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from profiler.pte import pagemap
from profiler.pte.entry import Entry
from profiler.pte.layout import Layout

SOURCES = Path(__file__).parent
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")

# include/uapi/asm-generic/mman-common.h
DONTNEED, PAGEOUT, HWPOISON, GUARD_INSTALL = 4, 21, 100, 102

Backing = Literal["anon", "shmem"]
Access = Literal["read", "write"]


@dataclass(frozen=True)
class Touched:
    """Every page touched once.

    What each was just before, by pagemap and mincore(2): not mapped, mapped, in the swap cache, only on the
    device. Then getrusage(2), signals, pages with wrong contents, WP userfaults.
    """

    none: int
    present: int
    cached: int
    away: int
    major: int
    minor: int
    sigbus: int
    sigsegv: int
    wrong: int
    wp: int


@dataclass(frozen=True)
class Moved:
    """What :meth:`Producer.migrate` did."""

    moved: int
    touches: int
    sigbus: int
    sigsegv: int
    wrong: int


def build(folder: Path) -> Path:
    """Compile it, unless it was compiled of these sources for all guests: emulated, that takes a minute."""
    if _for_guests().exists():
        return _for_guests()
    program = folder / "producer"
    subprocess.run(["gcc", *FLAGS, "-o", program, *sorted(SOURCES.glob("*.c"))], check=True)
    return program


def _for_guests() -> Path:
    """Beside the virtual environment's own programs, as the workload is."""
    sources = b"\0".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    name = hashlib.sha256(repr(FLAGS).encode() + sources).hexdigest()
    return Path(sys.prefix) / "libexec" / "uffd-profiler-tests" / f"producer-{name[:16]}"


class Producer:
    """A running one, with one region of pages."""

    def __init__(self, process: subprocess.Popen[str], backing: Backing, pages: int) -> None:
        self._process = process
        self.pid = process.pid
        self.pages = pages
        self.base = self._numbers(f"map {backing} {pages}")["base"]

    def fill(self) -> None:
        """Write every page."""
        self._must("fill")

    def share(self, children: int) -> None:
        """With so many processes, which do nothing; they end with it."""
        self._must(f"share {children}")

    def register(self) -> None:
        """With a userfaultfd, for write-protection."""
        self._must("register")

    def protect(self, on: bool = True) -> None:
        """Write-protect every page, or lift it."""
        self._must(f"protect 0 {self.pages} {int(on)}")

    def poison(self, first: int, count: int) -> int:
        """UFFDIO_POISON; 0 or the errno."""
        return self._numbers(f"poison {first} {count}")["errno"]

    def advise(self, advice: int, first: int = 0, count: int | None = None) -> int:
        """madvise(2) of some pages; 0 or the errno."""
        return self._numbers(f"advise {advice} {first} {self.pages if count is None else count}")["errno"]

    def page_out(self) -> None:
        """Every page to the swap device."""
        self._must("drain")
        assert self.advise(PAGEOUT) == 0

    def drop(self) -> None:
        """Take them out of the page table; those of anonymous memory are lost."""
        assert self.advise(DONTNEED) == 0

    def wait_for(self, inflight: Path | None) -> None:
        """From now on wait after madvise(2) until this device has answered everything."""
        if inflight:
            assert self._numbers(f"inflight {inflight}")["fd"] >= 0

    def touch(self, access: Access = "read", threads: int = 1) -> Touched:
        """Every page once, shared out among threads; one alone waits for what it has read ahead."""
        return Touched(**self._numbers(f"touch {access} {threads}"))

    def migrate(self, how: str, threads: int, rounds: int) -> Moved:
        """Move every page ``rounds`` times while all threads read them all."""
        return Moved(**self._numbers(f"migrate {how} {threads} {rounds}"))

    def in_core(self) -> list[bool]:
        """Of each page, whether it is in memory: mapped, or in the page or swap cache."""
        return [state == "1" for state in self._ask("look").partition("=")[2].strip()]

    def pagemap(self) -> tuple[int, ...]:
        """As anybody can read it, from outside."""
        return pagemap.read(self.pid, self.base, self.pages)

    def entries(self, layout: Layout, most: int | None = None) -> list[Entry]:
        """The same, decoded: of the first so many, or all."""
        return [pagemap.decode_pagemap(value, layout) for value in self.pagemap()[:most]]

    def entries_away(self, layout: Layout) -> list[tuple[int, Entry]]:
        """Of those that are not present; quicker than to decode them all."""
        found = enumerate(self.pagemap())
        return [(page, pagemap.decode_pagemap(value, layout)) for page, value in found if value >> 62 == 1]

    def away(self) -> int:
        """How many pages have an entry that is not present."""
        return sum(value >> 62 == 1 for value in self.pagemap())

    def swapped(self) -> int:
        """Pages that are swapped out by /proc/PID/smaps, which counts those of shared memory as well."""
        mapping = f"{self.base:x}-"
        found = False
        for line in Path(f"/proc/{self.pid}/smaps").read_text().splitlines():
            found = line.startswith(mapping) or (found and not line.split()[0].count("-"))
            if found and line.startswith("Swap:"):
                return int(line.split()[1]) // 4
        raise AssertionError(f"no mapping at {self.base:#x}")

    def _must(self, command: str) -> None:
        assert self._numbers(command) == {"errno": 0}

    def _numbers(self, command: str) -> dict[str, int]:
        return {name: int(value) for name, value in (pair.split("=") for pair in self._ask(command).split())}

    def _ask(self, command: str) -> str:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(command + "\n")
        to.flush()
        answer = back.readline()
        assert answer, f"the producer died of {command!r}"
        return answer


@contextmanager
def producer(program: Path, backing: Backing, pages: int) -> Iterator[Producer]:
    """Start one; it is gone afterwards."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Producer(process, backing, pages)
        finally:
            process.kill()


if __name__ == "__main__":
    _for_guests().parent.mkdir(parents=True, exist_ok=True)
    build(_for_guests().parent).replace(_for_guests())
