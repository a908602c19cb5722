# SPDX-License-Identifier: GPL-2.0-only
"""What this kernel lets this process attach: found by trying, not by asking for a version."""

import errno
import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import bpf
from .btf import Btf
from .perf_event import KPROBE_PMU
from .preemption import is_preemptible, preemption
from .symbols import Symbols

_CPUS = Path("/sys/devices/system/cpu")


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
    try:
        os.close(bpf.load_program("raw_tracepoint", "", bpf.RETURN_0))
    except OSError as error:
        return error.errno or errno.EPERM
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
    try:
        os.close(bpf.attach(fd))
    except OSError as error:
        return (
            f"{function} has more arguments than this kernel's trampolines pass on ({bpf.error_name(error)})"
        )
    finally:
        os.close(fd)
    return None


def _load_fentry(btf: Btf, function: str) -> int | str:
    """Descriptor of an empty fentry program, or why there is none."""
    try:
        function_id = btf.function_id(function)
    except KeyError:
        return f"BTF describes no function {function}"
    try:
        return bpf.load_program("tracing", "try_fentry", bpf.RETURN_0, traces=(bpf.TRACE_FENTRY, function_id))
    except OSError as error:
        return f"the kernel refuses fentry programs ({bpf.error_name(error)})"


def exact_fentry(btf: Btf) -> str | None:
    """Whether fentry programs load, and none of their runs is left out.

    The kernel marks a program as running, per CPU, and leaves out a run that finds it marked (kernel/bpf/
    trampoline.c: __bpf_prog_enter_recur). Programs on trampolines can be preempted where kernel code can, and
    then another thread's run on that CPU is left out. It is counted as missed, but it is missed: under load
    one userfault in some thousand. Probes run with preemption off.

    :returns: ``None`` when so, else the reason.
    """
    refused = try_fentry(btf)
    model = preemption()
    if refused or not is_preemptible(model):
        return refused
    return f"fentry programs can be preempted on this kernel (preemption: {model}), and some runs left out"


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
