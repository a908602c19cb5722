# SPDX-License-Identifier: GPL-2.0-only
"""perf_event_open(2), as far as it is needed here: events that a BPF program hangs on.

Layout and numbers: include/uapi/linux/perf_event.h.
"""

import ctypes as ct
import fcntl
import os
import struct
from pathlib import Path

KPROBE_PMU = Path("/sys/bus/event_source/devices/kprobe")
"""Its kprobes die with the descriptor that holds them (kernel/trace/trace_event_perf.c: perf_kprobe_init)."""

_SYS_PERF_EVENT_OPEN = 298  # arch/x86/entry/syscalls/syscall_64.tbl
_ATTR_BYTES = 72  # struct perf_event_attr up to config2: PERF_ATTR_SIZE_VER1
_FLAG_FD_CLOEXEC = 1 << 3
_IOC_ENABLE, _IOC_SET_BPF = 0x2400, 0x40042408
_TYPE_SOFTWARE = 1
_SOFTWARE_EVENTS = {"page-faults-min": 5, "page-faults-maj": 6}
_NOBODY, _ANY_CPU = -1, 0  # a kprobe is hit on every CPU, wherever its event stands


def attach_kprobe(program_fd: int, function: str, at_return: bool) -> int:
    """Descriptor of a kprobe at the entry of a kernel function, or a kretprobe, that runs a program.

    :raises OSError: the kernel refuses it.
    """
    name = ct.create_string_buffer(function.encode())
    kind = int((KPROBE_PMU / "type").read_text())
    config = at_return << _return_bit() if at_return else 0
    return _attached(program_fd, _open(kind, config, ct.addressof(name), _ANY_CPU))


def attach_software_event(program_fd: int, event: str, cpu: int) -> int:
    """Descriptor of a software event on one CPU that runs a program each time.

    :param event: ``page-faults-min`` or ``page-faults-maj``.
    :raises OSError: the kernel refuses it.
    """
    return _attached(program_fd, _open(_TYPE_SOFTWARE, _SOFTWARE_EVENTS[event], 0, cpu))


def _return_bit() -> int:
    """Which bit of ``config`` makes a kprobe a kretprobe: the file holds ``config:BIT``."""
    return int((KPROBE_PMU / "format" / "retprobe").read_text().strip().removeprefix("config:"))


def _open(kind: int, config: int, config1: int, cpu: int) -> int:
    every_time = 1
    fields = (kind, _ATTR_BYTES, config, every_time, 0, 0, 0, 0, 0, config1, 0)
    attr = ct.create_string_buffer(struct.pack("<IIQQQQQIIQQ", *fields), _ATTR_BYTES)
    libc = ct.CDLL(None, use_errno=True)
    fd = int(libc.syscall(_SYS_PERF_EVENT_OPEN, ct.byref(attr), _NOBODY, cpu, -1, _FLAG_FD_CLOEXEC))
    if fd < 0:
        raise OSError(ct.get_errno(), os.strerror(ct.get_errno()))
    return fd


def _attached(program_fd: int, event_fd: int) -> int:
    try:
        fcntl.ioctl(event_fd, _IOC_SET_BPF, program_fd)
        fcntl.ioctl(event_fd, _IOC_ENABLE, 0)
    except OSError:
        os.close(event_fd)
        raise
    return event_fd
