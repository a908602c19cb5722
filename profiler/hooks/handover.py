# SPDX-License-Identifier: GPL-2.0-only
"""What the attaching child hands to its parent: one JSON message, and file descriptors with it.

Descriptors travel as SCM_RIGHTS, at most 253 in one message (include/net/scm.h: SCM_MAX_FD). Closing them,
by whatever death of the parent, detaches everything.
"""

import array
import errno
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

_FDS_PER_MESSAGE = 200


@dataclass(frozen=True)
class Handover:
    """``facts``: plain data. ``fds``: name → descriptors, e.g. ``links`` or ``programs``."""

    facts: dict[str, Any]
    fds: dict[str, list[int]]


def send(channel: socket.socket, handover: Handover) -> None:
    """Send everything; the descriptors stay open here."""
    counts = {name: len(fds) for name, fds in handover.fds.items()}
    body = json.dumps({"facts": handover.facts, "fds": counts}).encode()
    channel.sendall(len(body).to_bytes(8, "little") + body)
    fds = [fd for group in handover.fds.values() for fd in group]
    for start in range(0, len(fds), _FDS_PER_MESSAGE):
        socket.send_fds(channel, [b"f"], fds[start : start + _FDS_PER_MESSAGE])


def receive(channel: socket.socket) -> Handover:
    """Receive what :func:`send` sent; the descriptors are close-on-exec.

    :raises EOFError: when the sender died before it had sent everything.
    :raises OSError: when this process may not open that many.
    """
    size = int.from_bytes(_exactly(channel, 8), "little")
    message = json.loads(_exactly(channel, size))
    wanted = sum(message["fds"].values())
    fds: list[int] = []
    try:
        while len(fds) < wanted:
            fds += _some_fds(channel)
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    groups = {}
    for name, count in message["fds"].items():
        groups[name], fds = fds[:count], fds[count:]
    return Handover(message["facts"], groups)


def _some_fds(channel: socket.socket) -> list[int]:
    item = array.array("i")
    space = socket.CMSG_SPACE(_FDS_PER_MESSAGE * item.itemsize)
    data, ancillary, flags, _ = channel.recvmsg(1, space, socket.MSG_CMSG_CLOEXEC)
    if not data:
        raise EOFError
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            item.frombytes(payload[: len(payload) - len(payload) % item.itemsize])
    if flags & socket.MSG_CTRUNC:
        for fd in item:
            os.close(fd)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return list(item)


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
