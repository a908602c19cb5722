# SPDX-License-Identifier: GPL-2.0-only
"""Runs of a service as a page sees them: ticks made of real snapshots, written by the real JSON report."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from profiler.hooks.planner import Plan
from profiler.profile import KernelFacts
from profiler.reports.json import Document, document
from profiler.slots import FAMILIES
from profiler.snapshot import EMPTY, Labels, Slot, Snapshot, Waiter
from tests.unit import samples

TICK_SECONDS = 5.0
TICK_NS = int(TICK_SECONDS * 1e9)
KEPT = 180
"""Ticks of 15 minutes."""

Slots = Mapping[str, Mapping[Labels, Slot]]


def plus(one: Slots, other: Slots) -> dict[str, dict[Labels, Slot]]:
    """Both together."""
    return {
        family: {
            labels: one.get(family, {}).get(labels, EMPTY) + other.get(family, {}).get(labels, EMPTY)
            for labels in [
                *one.get(family, {}),
                *(k for k in other.get(family, {}) if k not in one.get(family, {})),
            ]
        }
        for family in FAMILIES
    }


class Run:
    """One life of a service: what it counted, and the documents that it would answer with."""

    def __init__(self, session: str, plan: Plan, statistics: bool = True, kernel: KernelFacts | None = None):
        self.session = session
        self.plan = plan
        self.statistics = statistics
        self.kernel = kernel or KernelFacts("6.18.5", "x86_64", 65536, 1 << 41)
        self.seq = 0
        self.total: dict[str, dict[Labels, Slot]] = {}
        self.misses: dict[str, int | None] = {}
        self.waiting: tuple[Waiter, ...] = ()
        self.intervals: list[Snapshot] = []
        self.dead: dict[str, str] = {}
        self.scope: dict[str, object] = {"command": None}
        self.first = True

    def tick(
        self, slots: Slots, waiting: tuple[Waiter, ...] = (), misses: dict[str, int | None] | None = None
    ) -> None:
        """Count one tick."""
        self.seq += 1
        now = samples.NOW + self.seq * TICK_NS
        self.waiting = tuple(replace(w, start_ns=w.start_ns - samples.NOW + now) for w in waiting)
        self.total = plus(self.total, slots)
        misses = misses or {}
        for program, count in misses.items():
            before = self.misses.get(program)
            self.misses[program] = None if count is None else count + (before or 0)
        interval = samples.snapshot(
            {k: dict(v) for k, v in slots.items()}, TICK_NS, now, self.waiting, misses
        )
        self.intervals = [*self.intervals, interval][-KEPT:]

    @property
    def snapshot(self) -> Snapshot:
        """Since the start."""
        now = samples.NOW + self.seq * TICK_NS
        return samples.snapshot(self.total, self.seq * TICK_NS, now, self.waiting, self.misses)

    def _profile(self, intervals: tuple[Snapshot, ...]) -> Document:
        facts = {"kernel": self.kernel} | self.scope
        return document(samples.profile(self.plan, self.snapshot, intervals, **facts))

    def health(self) -> dict[str, Any]:
        hooks = [
            {
                "name": hook.name,
                "what": hook.what,
                "way": hook.way,
                "symbol": hook.symbol,
                "alive": None if hook.way == "none" else hook.name not in self.dead,
                "reason": hook.reason or self.dead.get(hook.name, ""),
            }
            for hook in self.plan.hooks
        ]
        why = "; ".join(f"the hook {name} has died: {reason}" for name, reason in self.dead.items())
        return {"ready": not self.dead, "reason": why or None, "hooks": hooks}

    def cost(self) -> dict[str, Any]:
        since = self.seq * TICK_SECONDS
        programs = [
            {
                "program": a.program,
                "hook": hook.name,
                "runs": 1009 * (i + 1) * self.seq,
                "seconds": 0.0011 * self.seq,
            }
            for i, hook in enumerate(self.plan.hooks)
            for a in hook.attachments[:1]
        ]
        return {
            "programs": programs if self.statistics else None,
            "cpu_seconds": 0.013 * self.seq,
            "resident_bytes": 41 * 2**20 + 4096 * self.seq,
            "since_seconds": since,
        }

    def history(self) -> dict[str, Any]:
        return {
            "schema": "uffd-profiler/history/1",
            "session": self.session,
            "seq": self.seq,
            "tick_seconds": TICK_SECONDS,
            "profile": self._profile(tuple(self.intervals)),
            "health": self.health(),
            "cost": self.cost(),
        }

    def event(self) -> dict[str, Any]:
        """The last tick as the stream tells it."""
        profile = self._profile((self.intervals[-1],))
        return {
            "session": self.session,
            "seq": self.seq,
            "interval": profile["intervals"][0],
            "verdicts": profile["verdicts"],
            "policy": profile["policy"],
            "kernel": profile["kernel"],
            "health": self.health(),
            "cost": self.cost(),
        }


def by_fentry(session: str = "first", ticks: int = 10) -> Run:
    """What Debian's kernel gives, ten ticks of it; some threads wait at the end."""
    run = Run(session, samples.fentry_plan())
    profile = samples.by_fentry()
    for interval in samples.intervals_of(profile.total)[:ticks]:
        run.tick(interval.slots, samples.WAITERS, {"kfunc__do_swap_page": 0})
    return run


def by_tracepoints(session: str = "first") -> Run:
    """What a kernel with neither kprobes nor fentry gives, without run statistics."""
    run = Run(session, samples.tracepoint_plan(), statistics=False)
    for interval in samples.intervals_of(samples.by_tracepoints().total):
        run.tick(interval.slots, samples.WAITERS[2:], {"raw_page_fault_user": 0, "raw_sched_switch": None})
    return run


def lively(ticks: int = KEPT, seed: int = 3) -> Run:
    """A quarter of an hour on a busy host: a snapshot is restored, then guests run on."""
    run = Run("lively", samples.fentry_plan())
    for n, slots in enumerate(_quarter_of_an_hour(seed)[:ticks]):
        run.tick(slots, _stuck(n), {"kfunc__do_swap_page": 0, "kfunc__handle_userfault": 0})
    return run


@cache
def _quarter_of_an_hour(seed: int) -> tuple[Slots, ...]:
    dice = random.Random(seed)  # noqa: S311
    return tuple(_busy(dice, n) for n in range(KEPT))


def _times(dice: random.Random, count: float, *modes: tuple[float, float, float]) -> list[int]:
    """Log-normal times; a mode is its share, its median in ns and its spread."""
    shares = [share for share, _, _ in modes]
    drawn = dice.choices(modes, shares, k=max(0, round(count * dice.uniform(0.8, 1.2))))
    return [int(median * dice.lognormvariate(0, spread)) for _, median, spread in drawn]


def _busy(dice: random.Random, n: int) -> dict[str, dict[Labels, Slot]]:
    restore = 40 <= n % 150 < 75
    storm = 118 <= n < 130
    hot = 260 if restore else 0
    reads = {
        ("user", "none", "file", "ran"): _times(dice, 60, (0.9, 2_100, 0.5), (0.1, 70_000, 0.7)),
        ("user", "none", "shmem", "ran"): _times(dice, 25, (1, 1_600, 0.4)),
        ("user", "missing", "shmem", "ran"): _times(dice, 18 if n > 35 else 0, (1, 2_900, 0.5)),
        ("user", "wp", "shmem", "skipped"): _times(dice, hot, (1, 620, 0.45)),
        ("user", "minor", "shmem", "skipped"): _times(dice, hot / 2 + 12, (1, 1_150, 0.5)),
        ("user", "missing+minor", "shmem", "skipped"): _times(dice, 90 if storm else 3, (1, 1_300, 0.5)),
        ("gup", "missing", "shmem", "ran"): _times(dice, 4 if restore else 0, (1, 1_300, 0.4)),
    }
    slow = 9.0 if storm else 1.0
    waits = {
        ("missing", "anon", "resolved"): _times(
            dice, hot / 2, (0.8, 24_000 * slow, 0.5), (0.2, 900_000 * slow, 0.8)
        ),
        ("minor", "shmem", "resolved"): _times(dice, hot / 2 + 10, (1, 14_000 * slow, 0.45)),
        ("wp", "shmem", "resolved"): _times(dice, 30 if n > 60 else 0, (1, 45_000, 0.6)),
        ("missing", "anon", "interrupted"): _times(dice, 1 if n == 71 else 0, (1, 5_000, 0.1)),
    }
    runs = {
        (mode, backing): [dice.choice((1, 3, 16, 16, 16, 16)) for _ in values]
        for (origin, mode, backing, done), values in reads.items()
        if done == "ran" and origin == "user"
    }
    found: dict[str, dict[Any, list[int]]] = {
        "page_fault": {
            ("user",): _times(dice, 500 + hot, (0.7, 900, 0.5), (0.3, 2_700, 0.6)),
            ("kernel",): _times(dice, 40, (1, 1_900, 0.5)),
            ("gup",): _times(dice, 6 if restore else 0, (1, 1_400, 0.4)),
        },
        "read_fault": reads,
        "fault_around_run": runs,
        "userfault": waits,
        "resolve": {
            ("copy", "ok"): _times(dice, hot / 2, (1, 3_100, 0.4)),
            ("copy", "eexist"): _times(dice, 2 if restore else 0, (1, 900, 0.2)),
            ("continue", "ok"): _times(dice, hot / 2 + 10, (1, 1_900, 0.4)),
            ("writeprotect", "ok"): _times(dice, 30 if n > 60 else 0, (1, 2_600, 0.5)),
        },
        "swap_fault": {
            ("swap_slot", "no", "major"): _times(dice, 14 if storm else 0, (1, 60_000, 0.7)),
            ("swap_slot", "no", "minor"): _times(dice, 37 if storm else 0, (1, 1_300, 0.5)),
            ("marker_uffd_wp", "yes", "minor"): _times(dice, 5 if n > 60 else 0, (1, 900, 0.4)),
        },
        "shmem_swapin": {("major",): _times(dice, 9 if storm else 0, (1, 70_000, 0.6))},
        "swap_read": {
            ("swap_entry",): [8] * 13 if storm else [],
            ("shmem",): [1, 8, 8, 8] if storm else [],
        },
    }
    slots = {
        family: {k: samples.slot(family, v, 31_000 * len(v)) for k, v in by.items() if v}
        for family, by in found.items()
    }
    begun: dict[Labels, Slot] = {}
    for (reason, backing, _), values in waits.items():
        begun[reason, backing] = begun.get((reason, backing), EMPTY) + Slot(len(values))
    counted = {labels: slot for labels, slot in begun.items() if slot.count}
    return slots | {"userfault_begun": counted, "userfault_wait_begun": counted}


def _stuck(n: int) -> tuple[Waiter, ...]:
    """Some wait for a moment; from the storm on, two for good."""
    many = 7 if 118 <= n < 130 else 2 if n >= 130 else n % 7 == 3
    return tuple(
        Waiter(
            samples.NOW - (max(1, n - 118) * TICK_NS if i < 2 else 41_000 * (i + 1)),
            0x7F12_3456_7000 + 0x1000 * i,
            4243 + i,
            4242,
            "missing" if i < 5 else "minor",
            "anon" if i < 5 else "shmem",
        )
        for i in range(int(many))
    )
