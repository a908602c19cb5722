# SPDX-License-Identifier: GPL-2.0-only
"""The BPF source and its constants for one plan."""

import re
from collections.abc import Sequence
from pathlib import Path

from .. import slots
from .planner import Plan

# Definitions come before their users.
_FILES = (
    "probe.h",
    "kernel.h",
    "buckets.h",
    "slots.h",
    "settings.h",
    "process.c",
    "thread.h",
    "region.h",
    "find_vma.h",
    "waiting.h",
    "recent.h",
    "fault_around.c",
    "read_fault.c",
    "userfault.c",
    "wait_on_stack.h",
    "userfault_sched.c",
    "pte.h",
    "swap_entry.c",
    "shmem_swapin.c",
    "swap_read.c",
    "resolve.c",
    "page_fault.c",
)

THREADS = 32768
PROCESSES = 8192
WAITING_ROWS = 1024

# Flags and sizes that are ABI or have never differed on x86-64, with their kernel headers.
_CONSTANTS = {
    "THREADS": THREADS,
    "PROCESSES": PROCESSES,
    "PROCESS_COUNTED": 1,
    "PROCESS_FOLLOWED": 2,
    "WAITING_ROWS": WAITING_ROWS,
    "MM_FILEPAGES": 0,  # include/linux/mm_types_task.h, and the trace format of kmem:rss_stat
    "MM_SHMEMPAGES": 3,
    "PF_EXITING": 0x4,  # include/linux/sched.h
    "PF_DUMPCORE": 0x200,
    "UFFD_FEATURE_SIGBUS": 1 << 7,  # include/uapi/linux/userfaultfd.h
    "UFFD_USER_MODE_ONLY": 1,
    "UFFD_PAGEFAULT_FLAG_WP": 1 << 1,
    "UFFD_PAGEFAULT_FLAG_MINOR": 1 << 2,
    "THREAD_SIZE": 16384,  # arch/x86/include/asm/page_64_types.h, without KASAN
    # How much of the stack, from its top, can hold the wait queue entry: in chunks of 512 bytes.
    # A fault from user mode has nothing but the fault path above it; one from the kernel has a system call.
    "STACK_CHUNKS_USER": 6,
    "STACK_CHUNKS_KERNEL": 12,
    "PAGE_SWP_UFFD_WP": 1 << 2,  # arch/x86/include/asm/pgtable_types.h
    "SWP_LOW_BITS": (1 << 9) - 1,  # arch/x86/include/asm/pgtable_64.h: what is neither type nor offset
    "PTE_MARKER_UFFD_WP_BIT": 1 << 0,  # include/linux/swapops.h, on every kernel that has markers
    "PTE_MARKERS": (1 << 3) - 1,  # with POISONED and GUARD
    # include/uapi/linux/userfaultfd.h: whole numbers, as the kernel compares them.
    "UFFDIO_WAKE": 0x8010AA02,
    "UFFDIO_COPY": 0xC028AA03,
    "UFFDIO_ZEROPAGE": 0xC020AA04,
    "UFFDIO_MOVE": 0xC028AA05,
    "UFFDIO_WRITEPROTECT": 0xC018AA06,
    "UFFDIO_CONTINUE": 0xC020AA07,
    "UFFDIO_POISON": 0xC020AA08,
    "SYS_IOCTL": 16,  # arch/x86/entry/syscalls/syscall_64.tbl
    "SYS_IOCTL_32": 54,  # arch/x86/entry/syscalls/syscall_32.tbl
    "TS_COMPAT": 0x2,  # arch/x86/include/asm/thread_info.h
    "EBADF": 9,  # include/uapi/asm-generic/errno-base.h, errno.h
    "EAGAIN": 11,
    "EEXIST": 17,
    "ENOTTY": 25,
}

# BCC's own headers redefine, and leave static functions unused. Nobody reads the programs' debug
# information, and making it takes a tenth of the start.
_FIXED = ("-g0", "-Wno-macro-redefined", "-Wno-unused-function")
_DEFINITION = re.compile(r"-D([A-Za-z_]\w*)=(\w+)", re.ASCII)


def folder() -> Path:
    """Where the C side stands: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "bpf"
    return installed if installed.is_dir() else package.parent / "bpf"


def source() -> str:
    """The C files as one text: BCC rewrites only what stands in its main file, not what that includes."""
    root = folder()
    return "".join(f'#line 1 "{name}"\n{(root / name).read_text()}\n' for name in _FILES)


def flags(plan: Plan, facts: dict[str, int], cpus: int, filtered: bool) -> list[str]:
    """Compiler options: the plan, the layout of the slots, and what is known of the kernel.

    :param facts: structure offsets, addresses and argument counts.
    """
    constants = {**_CONSTANTS, **slots.definitions(), **facts, "CPUS": cpus, "FILTERED": int(filtered)}
    options = [f"-D{name}={value}{'ULL' * (value >> 31 > 0)}" for name, value in sorted(constants.items())]
    options += [f"-DWAY_{hook.name}={hook.way}" for hook in plan.hooks]
    options += [f"-DSYMBOL_{hook.symbol}=1" for hook in plan.hooks if hook.symbol]
    return [*options, *_FIXED]


def are_flags(options: Sequence[str], most_cpus: int) -> bool:
    """Whether somebody else's options can be those of :func:`flags` here, and so do no harm to compile."""
    definitions = [match for option in options[: -len(_FIXED)] if (match := _DEFINITION.fullmatch(option))]
    found = {match[1]: match[2] for match in definitions}
    ours = {name: str(value) for name, value in (_CONSTANTS | slots.definitions()).items()}
    return (
        tuple(options[-len(_FIXED) :]) == _FIXED
        and len(definitions) == len(options) - len(_FIXED)
        and {name: found.get(name, "").removesuffix("ULL") for name in ours} == ours
        and found.get("CPUS") in {str(cpus) for cpus in range(1, most_cpus + 1)}
    )
