# SPDX-License-Identifier: GPL-2.0-only
"""The mapping that an address of a process lies in."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S{4} [0-9a-f]+ \S+ (\d+) *(.*)")
_ANONYMOUS = ("", "[heap]", "[stack]")


@dataclass(frozen=True)
class Vma:
    """One line of /proc/PID/maps.

    :param anonymous: ``vma_is_anonymous()`` (include/linux/mm.h): no file, no shared memory, not the
        kernel's own pages as [vdso].
    """

    start: int
    end: int
    anonymous: bool
    name: str


def parse(text: str) -> tuple[Vma, ...]:
    """``show_map_vma()`` (fs/proc/task_mmu.c): what has no inode and no special name is anonymous."""
    found = []
    for line in text.splitlines():
        m = _LINE.fullmatch(line)
        if m:
            name = m[4]
            anonymous = m[3] == "0" and (name in _ANONYMOUS or name.startswith("[anon:"))
            found.append(Vma(int(m[1], 16), int(m[2], 16), anonymous, name))
    return tuple(found)


def mappings(pid: int) -> tuple[Vma, ...]:
    """All of a process, in the order of addresses.

    :raises OSError: as reading /proc/PID/maps.
    """
    return parse(Path(f"/proc/{pid}/maps").read_text(errors="backslashreplace"))


def vma_at(address: int, vmas: tuple[Vma, ...]) -> Vma | None:
    """The mapping that holds the address."""
    place = bisect_right(vmas, address, key=lambda vma: vma.start) - 1
    return vmas[place] if place >= 0 and address < vmas[place].end else None
