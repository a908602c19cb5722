# SPDX-License-Identifier: GPL-2.0-only
"""The guest's answer: a stream of frames that ``init/`` writes and this file reads.

A frame is one byte of kind, four bytes of payload length (little endian), and the payload.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_HEADER = struct.Struct("<cI")


class Kind(Enum):
    """What a frame carries."""

    STARTED = b"S"
    """COMMAND is about to run; the payload is the guest's ``uname -r``."""
    STDOUT = b"O"
    STDERR = b"E"
    ALIVE = b"A"
    """Nothing else was sent for a while; no payload."""
    EXITED = b"X"
    """COMMAND has ended; the payload is one byte, its exit code (128 + n when signal n ended it)."""


@dataclass(frozen=True)
class Frame:
    """One message of the guest."""

    kind: Kind
    payload: bytes


class FrameReader:
    """Cuts a stream, received in pieces of any size, into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that ``data`` completes.

        :raises ValueError: the stream holds a kind that the guest never sends.
        """
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEADER.size : end])
            del self._pending[:end]
            yield Frame(Kind(kind), payload)
