# SPDX-License-Identifier: GPL-2.0-only
"""The answer to a scrape: which families, in which format, rendered off the event loop.

Scrapes that arrive while one is being rendered share the next: each gets figures read after it asked, and
however many ask, one thread renders at a time.
"""

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from .health import Health
from .live import Moment, NotAttachedError
from .metrics import faults, profiler, resolve, swap_entry, userfault, verdict
from .metrics.series import single

COLLECTORS: dict[str, Callable[[Moment], Iterator[Metric]]] = {
    "page_fault": faults.page_faults,
    "read_fault": faults.read_faults,
    "fault_around": faults.fault_around,
    "userfault": userfault.userfaults,
    "resolve": resolve.resolving,
    "swap_entry": swap_entry.swap_entries,
    "verdict": verdict.verdict,
    "overhead": profiler.overhead,
}
"""Of the kernel's behaviour and what watching it costs, by the name that ``collect[]`` takes."""

NAMES = (*COLLECTORS, "profiler", "process")
"""All of them: with the profiler itself, and the process that serves."""

_GZIP_LEVEL = 1  # text of this kind shrinks to a twentieth even so; level 9 takes four times as long


class UnknownCollectorError(Exception):
    """A name that is none of :data:`NAMES`."""


@dataclass(frozen=True)
class Wanted:
    """What a scrape asks for. ``accept``: its header. ``collectors``: names, in the order of NAMES."""

    accept: str
    gzip: bool
    collectors: tuple[str, ...] = NAMES


def choose(collect: list[str], exclude: list[str]) -> tuple[str, ...]:
    """The collectors that ``collect[]`` names (all, if it is empty), less those of ``exclude[]``.

    :raises UnknownCollectorError: for a name that there is not.
    """
    for name in (*collect, *exclude):
        if name not in NAMES:
            raise UnknownCollectorError(name)
    return tuple(name for name in NAMES if (not collect or name in collect) and name not in exclude)


@dataclass(frozen=True)
class Own:
    """Figures of the service itself. ``log_messages``: level → messages so far."""

    health: Health
    event_streams: int
    log_messages: dict[str, int]


class Exposition:
    """Renders scrapes of one service.

    :param moment: asked at every scrape; before attaching it raises :class:`NotAttachedError`.
    :param own: likewise.
    """

    def __init__(self, moment: Callable[[], Moment], own: Callable[[], Own]) -> None:
        self._moment = moment
        self._own = own
        self._process = ProcessCollector(registry=None)
        self._rendering = asyncio.Lock()
        self._next: dict[Wanted, asyncio.Task[tuple[bytes, str]]] = {}

    async def scrape(self, wanted: Wanted) -> tuple[bytes, str]:
        """The body, and its content type."""
        task = self._next.get(wanted)
        if task is None:
            task = self._next[wanted] = asyncio.create_task(self._run(wanted))
        return await asyncio.shield(task)

    async def _run(self, wanted: Wanted) -> tuple[bytes, str]:
        async with self._rendering:
            del self._next[wanted]  # who asks from here on shall not get figures of before
            return await asyncio.to_thread(self.render, wanted)

    def render(self, wanted: Wanted) -> tuple[bytes, str]:
        """The body, and its content type; takes milliseconds."""
        encode, content_type = choose_encoder(wanted.accept)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(lambda: self._families(wanted.collectors)))
        body = encode(registry)
        return gzip.compress(body, _GZIP_LEVEL, mtime=0) if wanted.gzip else body, content_type

    def _families(self, collectors: tuple[str, ...]) -> Iterator[Metric]:
        begun = time.perf_counter()
        own = self._own()
        try:
            moment: Moment | None = self._moment()
        except NotAttachedError:
            moment = None
        if moment:
            for name in collectors:
                if name in COLLECTORS:
                    yield from COLLECTORS[name](moment)
        if "process" in collectors:
            yield from self._process.collect()
        if "profiler" in collectors:
            yield profiler.build_info()
            yield single(
                "uffd_profiler_ready", "1 while attached and no hook has died.", float(own.health.ready)
            )
            if moment:
                yield from profiler.hooks(moment, own.health)
            yield single(
                "uffd_profiler_event_streams", "Open streams of server-sent events.", own.event_streams
            )
            yield profiler.log_messages(own.log_messages)
            yield single(
                "uffd_profiler_scrape_duration_seconds",
                "Time that collecting the figures of this scrape took.",
                time.perf_counter() - begun,
            )


class _Families(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()
