# SPDX-License-Identifier: GPL-2.0-only
"""Takes one CPU from a guest that goes on running, as if QEMU had lost a thread: stopped by ptrace(2)."""

import ctypes
import os
import threading
import time
from pathlib import Path

_SEIZE, _INTERRUPT, _CONT = 0x4206, 0x4207, 7  # linux/ptrace.h
_WALL = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


class LostCpu(threading.Thread):
    """Stops the thread of QEMU ``process`` that works hardest, and collects it when QEMU is killed.

    Only the thread that traces may do either, and what it traces goes on when it ends.
    """

    def __init__(self, process: int) -> None:
        super().__init__()
        self._process = process
        self.start()

    def run(self) -> None:
        """Stop it where it executes the guest's instructions: there it holds no lock of QEMU's."""
        thread = _busiest(self._process)
        _ptrace(_SEIZE, thread)
        while True:
            _ptrace(_INTERRUPT, thread)
            os.waitpid(thread, _WALL)
            if _in_translated_code(self._process, thread):
                break
            _ptrace(_CONT, thread)
            time.sleep(0.01)
        while os.WIFSTOPPED(os.waitpid(thread, _WALL)[1]):
            pass


def _ptrace(request: int, thread: int) -> None:
    if _LIBC.ptrace(request, thread, None, None):
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x})")


def _ticks(process: int) -> dict[int, int]:
    """Time of each thread in user mode (proc(5), stat, field 14)."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return {int(one.name): int((one / "stat").read_text().rsplit(")", 1)[1].split()[11]) for one in threads}


def _busiest(process: int) -> int:
    before = _ticks(process)
    time.sleep(1)
    after = _ticks(process)
    return max(before.keys() & after.keys(), key=lambda thread: after[thread] - before[thread])


def _in_translated_code(process: int, thread: int) -> bool:
    """Return whether a stopped thread is in memory that can be executed and is of no file."""
    at = int(Path(f"/proc/{process}/task/{thread}/syscall").read_text().split()[-1], 16)
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        addresses, rights, _, _, inode, *_ = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        if start <= at < end:
            return "x" in rights and inode == "0"
    return False
