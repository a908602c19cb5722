# SPDX-License-Identifier: GPL-2.0-only
"""The last minutes, tick by tick, as the JSON that they are asked for in.

A tick is an interval of the command line's JSON (docs/json.md). It is written once, when it ends, and kept
compressed: a quarter of an hour takes some hundred kilobytes.
"""

import json
import secrets
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any

from ..reports.json import Document, document, interval_document
from .live import Moment, NotAttachedError

SCHEMA = "uffd-profiler/history/1"
SECONDS = 900.0


class History:
    """Ticks of one run of the service.

    :param tick_seconds: length of each, apart from what a busy machine adds.
    """

    def __init__(self, tick_seconds: float) -> None:
        self.tick_seconds = tick_seconds
        self.session = secrets.token_hex(8)
        """Another one after a restart: what a reader had before does not go on."""
        self.seq = 0
        """Number of the last tick; the first is 1."""
        self._ticks: deque[bytes] = deque(maxlen=max(1, round(SECONDS / tick_seconds)))
        self._last: Moment | None = None
        self._lock = threading.Lock()

    def add(self, moment: Moment) -> str:
        """End a tick; returns its JSON."""
        before = self._last
        interval = moment.total - before.total if before else moment.total
        began = moment.total.monotonic_ns - moment.total.duration_ns
        text = dump(interval_document(interval, moment.plan, began))
        packed = zlib.compress(text.encode())
        with self._lock:
            self._ticks.append(packed)
            self._last = moment
            self.seq += 1
        return text

    @property
    def last(self) -> Moment:
        """The moment that the last tick ended with: what came later is in no tick yet.

        :raises NotAttachedError: before the first tick has ended.
        """
        if self._last is None:
            raise NotAttachedError("the first tick has not ended")
        return self._last

    def answer(self, extra: Document, *, compressed: bool) -> bytes:
        """The whole history; its profile is of the end of the last tick, so that later ticks add to it.

        :param extra: further members of the document, beside the profile.
        :param compressed: as gzip.
        :raises NotAttachedError: before the first tick has ended.
        """
        with self._lock:
            moment, ticks, seq = self.last, list(self._ticks), self.seq
        pieces = (piece.encode() for piece in self._pieces(moment, ticks, seq, extra))
        if not compressed:
            return b"".join(pieces)
        gz = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return b"".join(map(gz.compress, pieces)) + gz.flush()

    def _pieces(self, moment: Moment, ticks: list[bytes], seq: int, extra: Document) -> Iterator[str]:
        """Never the whole at once: uncompressed it has some megabytes."""
        head = {
            "schema": SCHEMA,
            "session": self.session,
            "seq": seq,
            "tick_seconds": self.tick_seconds,
            **extra,
        }
        profile = document(moment.profile())
        del profile["intervals"]
        yield f'{dump(head)[:-1]},"profile":{dump(profile)[:-1]},"intervals":['
        for index, tick in enumerate(ticks):
            yield ("," if index else "") + zlib.decompress(tick).decode()
        yield "]}}"


def dump(value: Any) -> str:
    """Compact JSON, in ASCII."""
    return json.dumps(value, separators=(",", ":"))
