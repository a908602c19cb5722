# SPDX-License-Identifier: GPL-2.0-only
"""What this kernel lets this process attach: found by trying, not by asking for a version."""

import ctypes as ct
import errno
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from .btf import Btf
from .symbols import Symbols

KPROBE_PMU = Path("/sys/bus/event_source/devices/kprobe/type")
_CPUS = Path("/sys/devices/system/cpu")

_SYS_BPF = 321
_BPF_PROG_LOAD = 5
_BPF_PROG_TYPE_RAW_TRACEPOINT = 17
_BPF_PROG_TYPE_TRACING = 26
_BPF_TRACE_FENTRY = 24
# r0 = 0; exit (include/uapi/linux/bpf.h: struct bpf_insn)
_RETURN_0 = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)


@dataclass(frozen=True)
class Abilities:
    """What can be attached: each field is ``None`` for yes, or the reason for no."""

    fentry: str | None
    kprobe: str | None
    vma_walk: str | None


def try_bpf() -> int:
    """Load (and drop) an empty raw tracepoint program, the least that everything here is made of.

    :returns: 0 when it loads, else the errno.
    """
    instructions = ct.create_string_buffer(_RETURN_0)
    licence = ct.create_string_buffer(b"GPL")
    head = (_BPF_PROG_TYPE_RAW_TRACEPOINT, 2, ct.addressof(instructions), ct.addressof(licence))
    attr = ct.create_string_buffer(struct.pack("<IIQQ", *head), 48)
    libc = ct.CDLL(None, use_errno=True)
    fd = int(libc.syscall(_SYS_BPF, _BPF_PROG_LOAD, ct.byref(attr), ct.sizeof(attr)))
    if fd < 0:
        return ct.get_errno()
    os.close(fd)
    return 0


def try_fentry(btf: Btf, function: str = "handle_mm_fault") -> str | None:
    """Load (and drop) an empty fentry program.

    Only an attempt tells: a kernel with BTF and trampolines may still refuse, and does so with EPERM
    when it was built without kprobes.

    :returns: ``None`` when it loads, else the reason.
    """
    try:
        function_id = btf.function_id(function)
    except KeyError:
        return f"BTF describes no function {function}"
    instructions = ct.create_string_buffer(_RETURN_0)
    licence = ct.create_string_buffer(b"GPL")
    # union bpf_attr of BPF_PROG_LOAD, up to attach_btf_id.
    attr = ct.create_string_buffer(
        struct.pack(
            "<IIQQIIQII16sIIIIQIIQII",
            _BPF_PROG_TYPE_TRACING,
            2,
            ct.addressof(instructions),
            ct.addressof(licence),
            0,
            0,
            0,
            0,
            0,
            b"try_fentry",
            0,
            _BPF_TRACE_FENTRY,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            function_id,
        )
    )
    libc = ct.CDLL(None, use_errno=True)
    fd = libc.syscall(_SYS_BPF, _BPF_PROG_LOAD, ct.byref(attr), ct.sizeof(attr) - 1)
    if fd < 0:
        return f"the kernel refuses fentry programs ({errno.errorcode[ct.get_errno()]})"
    os.close(fd)
    return None


def try_kprobe() -> str | None:
    """Whether there is a kprobe PMU: probes made through it die with their file descriptor."""
    if KPROBE_PMU.exists():
        return None
    return "the kernel is built without kprobes"


def unattachable(symbols: Symbols, symbol: str) -> str | None:
    """Why no probe can be set on a function, ``None`` if it is one unambiguous symbol."""
    count = symbols.count(symbol)
    if count == 0:
        return f"{symbol} is not a symbol of this kernel (inlined, or not built)"
    if count > 1:
        return f"{symbol} names {count} functions of this kernel"
    return None


def possible_cpus() -> int:
    """Number of CPU ids that can ever be: the highest of ``cpu/possible`` plus one."""
    return int((_CPUS / "possible").read_text().strip().split(",")[-1].split("-")[-1]) + 1


def online_cpus() -> tuple[int, ...]:
    """CPUs that are online now."""
    cpus: list[int] = []
    for part in (_CPUS / "online").read_text().strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return tuple(cpus)
