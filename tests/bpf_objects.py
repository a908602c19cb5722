# SPDX-License-Identifier: GPL-2.0-only
"""Which BPF programs, maps and links the running kernel holds, whoever made them.

The ids are the machine's: a test that compares them is alone with what it starts, or waits for others.
"""

import ctypes as ct
import errno
import os
import struct
import time
from collections.abc import Iterator, Mapping

_SYS_BPF = 321  # arch/x86/entry/syscalls/syscall_64.tbl
# include/uapi/linux/bpf.h: enum bpf_cmd
_NEXT_ID = {"programs": 11, "maps": 12, "links": 31}

Ids = Mapping[str, frozenset[int]]


def ids() -> dict[str, frozenset[int]]:
    """Ids of the BPF programs, maps and links that exist now.

    :raises OSError: without CAP_SYS_ADMIN.
    """
    return {kind: frozenset(_ids(command)) for kind, command in _NEXT_ID.items()}


def _ids(command: int) -> Iterator[int]:
    libc = ct.CDLL(None, use_errno=True)
    last = 0
    while True:
        # union bpf_attr: start_id, next_id, open_flags
        attr = ct.create_string_buffer(struct.pack("<III", last, 0, 0), 12)
        if libc.syscall(_SYS_BPF, command, attr, 12) < 0:
            error = ct.get_errno()
            if error == errno.ENOENT:
                return
            raise OSError(error, os.strerror(error))
        last = int(struct.unpack_from("<I", attr, 4)[0])
        yield last


def leftovers(before: Ids) -> dict[str, frozenset[int]]:
    """What exists now and did not then, by kind; empty if nothing does."""
    now = ids()
    return {kind: now[kind] - before[kind] for kind in now if now[kind] - before[kind]}


def settled(before: Ids, timeout_s: float = 10.0) -> bool:
    """Wait until nothing exists that did not before: the kernel frees programs a moment after their end.

    Use it as ``assert settled(before), leftovers(before)``.

    :returns: ``False`` when something is left after ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    while leftovers(before):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
