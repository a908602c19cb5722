# SPDX-License-Identifier: GPL-2.0-only
"""The parts of one running service, put together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from .exposition import Exposition, Own
from .health import Canary
from .history import History
from .live import Live
from .stream import Streams
from .ticker import Ticker
from .window import Window


@dataclass(frozen=True)
class Options:
    """What the command line decides.

    ``policy``: declared, by its name or written out. ``modes``: uffd modes that this kernel supports.
    ``max_requests``: scrapes at once. ``max_profile_seconds``: the longest window of a one-shot.
    """

    policy: str | None = None
    modes: frozenset[str] = frozenset()
    tick_seconds: float = 5.0
    telemetry_path: str = "/metrics"
    max_requests: int = 40
    max_streams: int = 128
    max_profile_seconds: float = 300.0


@dataclass
class Service:
    """Everything that the routes need; nothing is attached yet.

    ``log_messages``: level → messages logged so far.
    """

    options: Options
    log_messages: Callable[[], dict[str, int]]
    live: Live = field(init=False)
    history: History = field(init=False)
    streams: Streams = field(init=False)
    ticker: Ticker = field(init=False)
    exposition: Exposition = field(init=False)
    window: Window = field(init=False)
    scrapes: int = 0
    """In flight."""
    histories: asyncio.Semaphore = field(init=False)
    """A history is megabytes while it is written: few at once."""

    def __post_init__(self) -> None:
        self.live = Live(self.options.policy, self.options.modes)
        self.history = History(self.options.tick_seconds)
        self.streams = Streams(self.options.max_streams)
        self.ticker = Ticker(self.live, self.history, self.streams, Canary())
        self.exposition = Exposition(
            self.live.moment, lambda: Own(self.ticker.health, len(self.streams), self.log_messages())
        )
        self.window = Window(self.live)
        self.histories = asyncio.Semaphore(2)
