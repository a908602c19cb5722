# SPDX-License-Identifier: GPL-2.0-only
"""Children that do not outlive us, by whatever death we die."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: the child must not import


def die_with(parent: int, death: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Return a ``preexec_fn`` for Popen: the child gets the signal ``death`` when ``parent`` ends."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, death)
        if os.getppid() != parent:  # it died before prctl could be called
            os._exit(1)

    return ask
