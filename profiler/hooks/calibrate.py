# SPDX-License-Identifier: GPL-2.0-only
"""Find the bit of VM_UFFD_MINOR: twin of ``bpf/settings.h``.

It has been bit 37, 38 and 41, and is in BTF only where it is an enum. So this thread reads one page of an
unregistered mapping of a memfd and one of a mapping registered for MINOR, and the programs just attached
note the flags of the two VMAs. Neither read waits: the pages are in no page cache yet, and only a page that
is raises a MINOR userfault.
"""

import ctypes as ct
import errno
import mmap
import os
import threading

from ..errors import Exit, UserError
from ..kernel import userfaultfd

VM_UFFD_MISSING = 0x200
VM_UFFD_WP = 0x1000


class Settings(ct.Structure):
    """``struct settings`` of ``bpf/settings.h``."""

    _fields_ = (
        ("minor_flag", ct.c_uint64),
        ("thread", ct.c_uint64),
        ("start", ct.c_uint64),
        ("flags", ct.c_uint64),
    )


def minor_bit(settings: Settings) -> int | None:
    """Learn ``settings.minor_flag`` through the attached programs.

    :returns: the flag; ``None`` when this kernel has no MINOR mode for shared memory.
    :raises UserError: when userfaultfd(2) is refused, or the two VMAs do not differ in exactly one unknown
        flag.
    """
    try:
        fd = userfaultfd.open_for_user_mode()
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return None
        # To go on would count MINOR regions as unregistered ones.
        raise UserError(
            f"The kernel refuses userfaultfd(2) ({error.strerror}), without which MINOR regions cannot be "
            "told apart; let the seccomp filter of this container or service allow it.",
            Exit.CANNOT_ATTACH,
        ) from error
    try:
        if not userfaultfd.features(fd) & userfaultfd.FEATURE_MINOR_SHMEM:
            return None
        settings.thread = threading.get_native_id()
        plain = _flags_of_a_region(settings, None)
        armed = _flags_of_a_region(settings, fd)
    finally:
        settings.thread = 0
        os.close(fd)
    flag = armed & ~plain
    if flag == 0 or flag & (flag - 1) or flag & (VM_UFFD_MISSING | VM_UFFD_WP):
        raise UserError(
            f"The VMA flags of an unregistered ({plain:#x}) and of a MINOR region ({armed:#x}) do not tell "
            "the bit of VM_UFFD_MINOR; please report this with the output of `uname -a`.",
            Exit.CANNOT_ATTACH,
        )
    settings.minor_flag = flag
    return flag


def _flags_of_a_region(settings: Settings, fd: int | None) -> int:
    """Read one page of a fresh mapping, registered for MINOR with ``fd``; 0 if no program noted its flags."""
    memory_fd = os.memfd_create("uffd-profiler-calibration")
    try:
        os.truncate(memory_fd, mmap.PAGESIZE)
        with mmap.mmap(memory_fd, mmap.PAGESIZE) as memory:
            if fd is not None:
                userfaultfd.register(fd, memory, "minor")
            settings.start = userfaultfd.address(memory)
            settings.flags = 0
            _ = memory[0]
            return int(settings.flags)
    finally:
        os.close(memory_fd)
