# SPDX-License-Identifier: GPL-2.0-only
"""``POST /api/v1/profile``: a one-shot profile of the next seconds, one at a time."""

import asyncio
import time
from datetime import UTC, datetime

from ..profile import Profile
from .live import Live


class BusyError(Exception):
    """Another one is being taken. ``seconds``: until it is done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Window:
    """Takes profiles of a window of time."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._ends: float | None = None

    async def profile(self, seconds: float) -> Profile:
        """What happens in the next ``seconds``.

        :raises BusyError: while another is taken.
        :raises NotAttachedError: before anything is attached.
        """
        if self._ends is not None:
            raise BusyError(max(0.0, self._ends - time.monotonic()))
        self._ends = time.monotonic() + seconds
        try:
            started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            before = await asyncio.to_thread(self._live.moment)
            await asyncio.sleep(seconds)
            after = await asyncio.to_thread(self._live.moment)
        finally:
            self._ends = None
        return after.profile(after.total - before.total, started_at)
