# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel says of our programs: how often they ran, for how long, and when it left them out."""

import ctypes as ct
import struct
from collections.abc import Iterable
from typing import NamedTuple, TextIO

_SYS_BPF = 321  # arch/x86/entry/syscalls/syscall_64.tbl
_BPF_ENABLE_STATS = 32  # include/uapi/linux/bpf.h: enum bpf_cmd
_BPF_STATS_RUN_TIME = 0


def enable_statistics() -> list[int]:
    """Let the kernel measure the runs of every BPF program for as long as the descriptor is open.

    :returns: the descriptor; none when the kernel refuses (it has this since v5.8).
    """
    attr = ct.create_string_buffer(struct.pack("<I", _BPF_STATS_RUN_TIME), 4)
    fd = int(ct.CDLL(None).syscall(_SYS_BPF, _BPF_ENABLE_STATS, attr, 4))
    return [fd] if fd >= 0 else []


class Account(NamedTuple):
    """Of one program. ``recursion_misses``: runs left out, ``None`` where the kernel does not say.

    ``runs`` and the ``ns`` in them are counted only while the statistics are enabled.
    """

    recursion_misses: int | None
    runs: int
    ns: int


class Accounts:
    """Open files of /proc/self/fdinfo, one for each program: to open them takes a privilege, to read none.

    :param programs: name and descriptor of each.
    """

    def __init__(self, programs: Iterable[tuple[str, int]]) -> None:
        self._files: list[tuple[str, TextIO]] = [
            (name, open(f"/proc/self/fdinfo/{fd}"))  # noqa: SIM115
            for name, fd in programs
        ]

    def read(self) -> dict[str, Account]:
        """Program → its account now."""
        found = {}
        for name, file in self._files:
            file.seek(0)
            found[name] = parse(file.read())
        return found

    def close(self) -> None:
        """Close the files."""
        for _, file in self._files:
            file.close()
        self._files = []


def parse(text: str) -> Account:
    """One fdinfo file (kernel/bpf/syscall.c: bpf_prog_show_fdinfo)."""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    misses = int(lines["recursion_misses"]) if "recursion_misses" in lines else None
    return Account(misses, int(lines.get("run_cnt", 0)), int(lines.get("run_time_ns", 0)))
