# SPDX-License-Identifier: GPL-2.0-only
"""Kernel settings that decide what a measurement means."""

import ctypes as ct
import os
from contextlib import suppress
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | (1 << 18)
_DEBUGFS = Path("/sys/kernel/debug")
_SECURITYFS = Path("/sys/kernel/security")


def private_mounts() -> None:
    """Give this process debugfs and securityfs in a mount namespace of its own.

    Nothing is mounted on the machine itself. Where that is not allowed, nothing happens: the readers
    below then answer ``None``.
    """
    libc = ct.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None):
        return
    for kind, where in (("debugfs", _DEBUGFS), ("securityfs", _SECURITYFS)):
        if not any(where.glob("*")):
            libc.mount(kind.encode(), os.fsencode(where), kind.encode(), 0, None)


def fault_around_bytes() -> int | None:
    """debugfs ``fault_around_bytes`` (mm/memory.c), in bytes; ``None`` when it cannot be read."""
    with suppress(OSError, ValueError):
        return int((_DEBUGFS / "fault_around_bytes").read_text())
    return None


def lockdown() -> str | None:
    """Lockdown mode: ``none``, ``integrity`` or ``confidentiality``; ``None`` when it cannot be read."""
    with suppress(OSError, IndexError):
        return (_SECURITYFS / "lockdown").read_text().split("[")[1].split("]")[0]
    return None
