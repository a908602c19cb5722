# SPDX-License-Identifier: GPL-2.0-only
"""Landlock: from here on this process opens nothing but what is listed.

Best effort: what the running kernel knows is asked of it (the ABI, never the version), and what it lacks is
named. Source of every constant: include/uapi/linux/landlock.h and Documentation/userspace-api/landlock.rst.
"""

import ctypes
import errno
import os
import resource
import stat
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError

# The same on every architecture of Linux but alpha.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG = 1 << 5, 1 << 8
_TRUNCATE = 1 << 14
#: By ABI, the number of rights on files there are: execute to make_sym, refer, truncate, ioctl_dev.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_ABI, _BIND_TCP, _CONNECT_TCP = 4, 1 << 0, 1 << 1
_SCOPE_ABI, _SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 6, 1 << 0, 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
#: A directory of procfs gets a new inode when it was evicted, and the rule is on the inode: held for ever.
_held: list[int] = []


Place = str | Path | int
"""A path, or a descriptor."""


class _RefusedError(Exception):
    """The kernel does not do it."""


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """Landlock's ABI, 0 when the kernel has none or it is not enabled."""
    found = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    return max(int(found), 0)


def lacks(version: int) -> tuple[str, ...]:
    """What stays possible with this ABI although it should not; empty when nothing does."""
    gaps = (
        (1, "opening any file its user may"),
        (3, "truncating files"),
        (_NET_ABI, "TCP connections to elsewhere"),
        (_SCOPE_ABI, "signals to processes of the same user"),
    )
    return tuple(what for least, what in gaps if version < least)


def restrict(read: Iterable[Place] = (), write: Iterable[Place] = ()) -> str | None:
    """Let go of everything that is not listed, for this process and its children, for ever.

    No core dump, and as far as the kernel can: no file opened but beneath *read*, none written, created or
    removed but in *write*, nothing executed, no TCP socket bound or connected, no signal sent outside, no
    abstract UNIX socket of others reached. What is open stays open. Sets no_new_privs.

    To be called after privileges were dropped and sockets were bound, and before any thread starts: a thread
    that runs is not restricted.

    :param read: files and directories: paths, or descriptors of what cannot be reached by its path any more.
    :param write: directories, likewise.
    :returns: ``None`` when it was done, else why the kernel could not.
    :raises UserError: when a path is not there.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not _alone():
        raise RuntimeError("threads run already, and would stay unrestricted")
    version = abi()
    if version == 0:
        return "this kernel has no Landlock, or it was not enabled at boot (lsm=)"
    try:
        _restrict(version, tuple(read), tuple(write))
    except _RefusedError as error:
        return str(error)
    return None


def _alone() -> bool:
    """Whether this is the only thread. One that was joined may still be on its way out of the kernel."""
    deadline = time.monotonic() + 1
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 (no Path for each thread)
        if threading.active_count() > 1 or time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _restrict(version: int, read: tuple[Place, ...], write: tuple[Place, ...]) -> None:
    ruleset = _create(version)
    try:
        for path in read:
            _allow(ruleset, version, path, _READ_FILE | _READ_DIR)
        for path in write:
            rights = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
            _allow(ruleset, version, path, rights)
        _call("prctl", _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _call("landlock_restrict_self", _libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _create(version: int) -> int:
    attr = _RulesetAttr(handled_access_fs=_rights(version))
    if version >= _NET_ABI:
        attr.handled_access_net = _BIND_TCP | _CONNECT_TCP
    if version >= _SCOPE_ABI:
        attr.scoped = _SCOPE_ABSTRACT_SOCKET | _SCOPE_SIGNAL
    # A kernel takes a longer structure than its own when what it does not know is zero.
    size = ctypes.c_size_t(ctypes.sizeof(attr))
    made = _libc.syscall(_CREATE_RULESET, ctypes.byref(attr), size, ctypes.c_uint32(0))
    return _call("landlock_create_ruleset", made)


def _rights(version: int) -> int:
    return (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1


def _allow(ruleset: int, version: int, path: Place, rights: int) -> None:
    try:
        fd = os.dup(path) if isinstance(path, int) else os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(
            f"{path} cannot be opened to the sandbox: {error.strerror}; correct the path."
        ) from None
    found = os.fstat(fd)
    if not stat.S_ISDIR(found.st_mode):
        rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
    attr = _PathBeneathAttr(allowed_access=rights & _rights(version), parent_fd=fd)
    added = _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(attr), ctypes.c_uint32(0))
    _call("landlock_add_rule", added)
    if found.st_dev == Path("/proc").stat().st_dev:
        _held.append(fd)
    else:
        os.close(fd)


def _call(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise _RefusedError(f"{name} gives {errno.errorcode.get(number, number)}")
    return int(result)
