# SPDX-License-Identifier: GPL-2.0-only
"""The userfaultfd system call, as much as the doctor and the calibration need.

Numbers: include/uapi/linux/userfaultfd.h, arch/x86/entry/syscalls/syscall_64.tbl.
"""

import ctypes as ct
import errno
import fcntl
import mmap
import os
import struct
from itertools import combinations

_SYS_USERFAULTFD = 323
_UFFD_USER_MODE_ONLY = 1
_UFFDIO_API = 0xC018AA3F
_UFFDIO_REGISTER = 0xC020AA00
_API = 0xAA
_MODE_BITS = {"missing": 1, "wp": 2, "minor": 4}
FEATURE_MINOR_SHMEM = 1 << 10
FEATURE_WP_HUGETLBFS_SHMEM = 1 << 12


def open_userfaultfd(user_mode_only: bool = False) -> int:
    """A new userfaultfd, without an API handshake.

    :raises OSError: as userfaultfd(2): ENOSYS without CONFIG_USERFAULTFD, EPERM without the privilege.
    """
    libc = ct.CDLL(None, use_errno=True)
    mode = os.O_CLOEXEC | os.O_NONBLOCK | (_UFFD_USER_MODE_ONLY if user_mode_only else 0)
    fd = int(libc.syscall(_SYS_USERFAULTFD, mode))
    if fd < 0:
        raise OSError(ct.get_errno(), "userfaultfd")
    return fd


def open_for_user_mode() -> int:
    """A userfaultfd for faults of user mode, which takes no privilege (Linux 5.11: USER_MODE_ONLY).

    :raises OSError: as :func:`open_userfaultfd`.
    """
    try:
        return open_userfaultfd(user_mode_only=True)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a kernel that does not know the flag
            raise
        return open_userfaultfd()


def features(fd: int, wanted: int = 0) -> int:
    """API handshake; returns the feature bits that the kernel has.

    :raises OSError: EINVAL when it lacks one of ``wanted``.
    """
    answer = fcntl.ioctl(fd, _UFFDIO_API, struct.pack("<QQQ", _API, wanted, 0))
    return int(struct.unpack("<QQQ", answer)[1])


def supported_modes(found: int) -> frozenset[str]:
    """Modes in which shared memory can be registered, singly and combined.

    :param found: what :func:`features` returned.
    """
    single = ["missing"]
    single += ["wp"] * bool(found & FEATURE_WP_HUGETLBFS_SHMEM)
    single += ["minor"] * bool(found & FEATURE_MINOR_SHMEM)
    return frozenset("+".join(combined) for size in range(1, 4) for combined in combinations(single, size))


def register(fd: int, memory: mmap.mmap, *modes: str) -> None:
    """Register a whole mapping.

    :raises OSError: as ioctl_userfaultfd(2).
    """
    bits = sum(_MODE_BITS[mode] for mode in modes)
    fcntl.ioctl(fd, _UFFDIO_REGISTER, struct.pack("<QQQQ", address(memory), len(memory), bits, 0))


def address(memory: mmap.mmap) -> int:
    """Where a writable mapping lies."""
    return ct.addressof(ct.c_char.from_buffer(memory))
