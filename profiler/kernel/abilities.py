# SPDX-License-Identifier: GPL-2.0-only
"""What this kernel lets this process attach: found by trying, not by asking for a version."""

import ctypes as ct
import errno
import os
import resource
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .btf import Btf
from .preemption import is_preemptible, preemption
from .symbols import Symbols

KPROBE_PMU = Path("/sys/bus/event_source/devices/kprobe/type")
_CPUS = Path("/sys/devices/system/cpu")

_SYS_BPF = 321
_BPF_PROG_LOAD = 5
_BPF_RAW_TRACEPOINT_OPEN = 17
_BPF_PROG_TYPE_RAW_TRACEPOINT = 17
_BPF_PROG_TYPE_TRACING = 26
_BPF_TRACE_FENTRY = 24
_ENOTSUPP = 524  # include/linux/errno.h: of the kernel's own
# r0 = 0; exit (include/uapi/linux/bpf.h: struct bpf_insn)
_RETURN_0 = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)


@dataclass(frozen=True)
class Abilities:
    """What can be attached: each field is ``None`` for yes, or the reason for no."""

    fentry: str | None
    kprobe: str | None
    vma_walk: str | None


def lift_memlock_limit() -> None:
    """Let BPF programs and maps take the memory that they need.

    Until v5.11 they count against RLIMIT_MEMLOCK, of all processes of the user together, and what does not
    fit is refused with EPERM (kernel/bpf/syscall.c: bpf_charge_memlock). Without CAP_SYS_RESOURCE the limit
    stays as it is, and the kernel may have no use for it.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


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
    fd = _load_fentry(btf, function)
    if isinstance(fd, str):
        return fd
    os.close(fd)
    return None


ARGUMENTS = 6
"""Up to as many any trampoline can pass on: those in registers."""


def try_to_attach_fentry(btf: Btf, function: str) -> str | None:
    """Attach (and detach) an empty fentry program to a function of more than :data:`ARGUMENTS`.

    arch_prepare_bpf_trampoline() (arch/x86/net/bpf_jit_comp.c) refuses it with ENOTSUPP until v6.6.

    :returns: ``None`` when it can be attached, else the reason.
    """
    fd = _load_fentry(btf, function)
    if isinstance(fd, str):
        return fd
    # union bpf_attr of BPF_RAW_TRACEPOINT_OPEN: no name, the program.
    attr = ct.create_string_buffer(struct.pack("<QII", 0, fd, 0))
    libc = ct.CDLL(None, use_errno=True)
    link = int(libc.syscall(_SYS_BPF, _BPF_RAW_TRACEPOINT_OPEN, ct.byref(attr), 16))
    error = ct.get_errno()
    os.close(fd)
    if link < 0:
        name = "ENOTSUPP" if error == _ENOTSUPP else errno.errorcode.get(error, str(error))
        return f"{function} has more arguments than this kernel's trampolines pass on ({name})"
    os.close(link)
    return None


def _load_fentry(btf: Btf, function: str) -> int | str:
    """Descriptor of an empty fentry program, or why there is none."""
    try:
        function_id = btf.function_id(function)
    except KeyError:
        return f"BTF describes no function {function}"
    instructions = ct.create_string_buffer(_RETURN_0)
    licence = ct.create_string_buffer(b"GPL")
    # union bpf_attr of BPF_PROG_LOAD, up to attach_btf_id: after the licence comes the verifier's log, and
    # after the name what only other programs need.
    head = (_BPF_PROG_TYPE_TRACING, 2, ct.addressof(instructions), ct.addressof(licence), 0, 0, 0, 0, 0)
    tail = (0, _BPF_TRACE_FENTRY, 0, 0, 0, 0, 0, 0, 0, function_id)
    packed = struct.pack("<IIQQIIQII16sIIIIQIIQII", *head, b"try_fentry", *tail)
    attr = ct.create_string_buffer(packed)
    libc = ct.CDLL(None, use_errno=True)
    fd = int(libc.syscall(_SYS_BPF, _BPF_PROG_LOAD, ct.byref(attr), ct.sizeof(attr) - 1))
    return fd if fd >= 0 else f"the kernel refuses fentry programs ({errno.errorcode[ct.get_errno()]})"


def exact_fentry(btf: Btf) -> str | None:
    """Whether fentry programs load, and none of their runs is left out.

    The kernel marks a program as running, per CPU, and leaves out a run that finds it marked (kernel/bpf/
    trampoline.c: __bpf_prog_enter_recur). Programs on trampolines can be preempted where kernel code can, and
    then another thread's run on that CPU is left out. It is counted as missed, but it is missed: under load
    one userfault in some thousand. Probes run with preemption off.

    :returns: ``None`` when so, else the reason.
    """
    model = preemption()
    if is_preemptible(model):
        return (
            f"fentry programs can be preempted on this kernel (preemption: {model}), and some runs left out"
        )
    return try_fentry(btf)


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
