# SPDX-License-Identifier: GPL-2.0-only
"""Every tick: provoke the hooks, read, judge, remember, tell."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from fastapi.sse import format_sse_event

from ..reports.json import kernel_document, policy_document, verdict_document
from .cost import Cost, cost
from .health import Canary, Health, Watch
from .history import History, dump
from .live import Live, Moment
from .stream import Streams

_log = logging.getLogger("uffd_profiler")

ATTACHING = Health(ready=False, reason="the probes are being attached")


class Ticker:
    """Drives history, health and streams of a session.

    :ivar health: as of the last tick.
    """

    def __init__(self, live: Live, history: History, streams: Streams, canary: Canary) -> None:
        self._live = live
        self._history = history
        self._streams = streams
        self._canary = canary
        self._watch: Watch | None = None
        self.health = ATTACHING

    def failed(self, reason: str) -> None:
        """It will never tick."""
        self.health = Health(ready=False, reason=reason)

    async def run(self, changed: Callable[[bool], None]) -> None:
        """Tick until cancelled; the first is right after attaching.

        :param changed: told whether it is ready, whenever that changes.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            before = self.health.ready
            event = await asyncio.to_thread(self._tick)
            if before != self.health.ready:
                self._log_change()
                changed(self.health.ready)
            self._streams.publish(event)
            # A machine that slept or hung gets one tick for all that was missed.
            due = max(due + self._history.tick_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    def _tick(self) -> bytes:
        self._canary.touch()
        moment = self._live.tick()
        if self._watch is None:
            self._watch = Watch(moment.plan)
        self.health = self._watch.check(moment.total)
        interval = self._history.add(moment)
        rest = {
            "verdicts": [verdict_document(v, moment.plan) for v in moment.verdicts],
            "policy": policy_document(moment.followed),
            "kernel": kernel_document(moment.kernel),
            **own_documents(moment, self.health),
        }
        seq, session = self._history.seq, self._history.session
        data = f'{{"session":"{session}","seq":{seq},"interval":{interval},{dump(rest)[1:]}'
        return format_sse_event(data_str=data, event="tick", id=str(seq))

    def _log_change(self) -> None:
        if self.health.ready:
            _log.info("ready")
        else:
            _log.error("not ready: %s", self.health.reason)

    def hello(self) -> bytes:
        """What every stream begins with."""
        state = "ready" if self.health.ready else "attaching" if self._watch is None else "degraded"
        data = {
            "session": self._history.session,
            "seq": self._history.seq,
            "tick_seconds": self._history.tick_seconds,
            "state": state,
        }
        return format_sse_event(data_str=dump(data), event="hello", retry=2000)


def own_documents(moment: Moment, health: Health) -> dict[str, Any]:
    """``health`` and ``cost``, as history and stream have them."""
    return {"health": health_document(health), "cost": _cost_document(cost(moment))}


def health_document(health: Health) -> dict[str, Any]:
    """Plain data."""
    return {
        "ready": health.ready,
        "reason": health.reason,
        "hooks": [
            {
                "name": one.hook.name,
                "what": one.hook.what,
                "way": one.hook.way,
                "symbol": one.hook.symbol,
                "alive": one.alive,
                "reason": one.reason,
            }
            for one in health.hooks
        ],
    }


def _cost_document(spent: Cost) -> dict[str, Any]:
    programs = spent.programs and [
        {"program": one.name, "hook": one.hook, "runs": one.runs, "seconds": one.seconds}
        for one in spent.programs
    ]
    return {
        "programs": programs,
        "cpu_seconds": spent.cpu_seconds,
        "resident_bytes": spent.resident_bytes,
        "since_seconds": spent.since_seconds,
    }
