# SPDX-License-Identifier: GPL-2.0-only
"""systemd, where it started us: its sockets (sd_listen_fds(3)), and what it is told (sd_notify(3))."""

import os
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..errors import Exit, UserError


def _daemon() -> Any:
    try:
        return import_module("systemd.daemon")
    except ImportError as error:
        raise UserError(
            f"systemd cannot be spoken to ({error}); install Debian's python3-systemd.", Exit.OUTPUT
        ) from error


def inherited() -> list[socket.socket]:
    """The listening sockets that systemd opened for us.

    :raises UserError: when there is none.
    """
    descriptors = _daemon().listen_fds() if "LISTEN_PID" in os.environ else []
    if not descriptors:
        raise UserError(
            "systemd has handed over no socket; start the service by its .socket unit, or leave out "
            "--web.systemd-socket.",
            Exit.OUTPUT,
        )
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def notifier() -> Callable[[str], None]:
    """Tells systemd a state such as ``READY=1``; does nothing where nobody asked.

    The library is imported now, while it can be read.
    """
    if "NOTIFY_SOCKET" not in os.environ:
        return lambda state: None
    daemon = _daemon()

    def notify(state: str) -> None:
        daemon.notify(state)

    return notify
