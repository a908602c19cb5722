# SPDX-License-Identifier: GPL-2.0-only
"""Profiles as real kernels give them: by tracepoints only, and by fentry."""

from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType

from profiler.hooks.catalogue import Hook, Way
from profiler.hooks.planner import Plan, plan
from profiler.profile import Command, KernelFacts, Profile
from profiler.slots import BUCKETS, FAMILIES
from profiler.snapshot import Labels, Recent, Slot, Snapshot, Waiter, boundaries

NOW = 1_000_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000
NO_SYMBOLS = {"do_fault_around", "set_pte_range", "alloc_set_pte", "do_set_pmd"}
EVIL = ("./restore", "<script>alert('x')</script>", '"&\x1b[31m', "caf\u00e9", "\udcff")


def tracepoint_plan(asked: Mapping[str, bool] = MappingProxyType({})) -> Plan:
    """A kernel with neither kprobes nor fentry."""

    def refuse(hook: Hook, way: Way) -> str | None:
        if way.name == "fentry":
            return "the kernel refuses fentry programs (EPERM)"
        return "the kernel is built without kprobes" if way.name == "kprobe" else None

    return plan(refuse, asked=asked)


def fentry_plan(
    missing: frozenset[str] = frozenset({"do_fault_around"}),
    asked: Mapping[str, bool] = MappingProxyType({}),
) -> Plan:
    """A kernel with fentry whose ``missing`` functions are inlined."""

    def refuse(hook: Hook, way: Way) -> str | None:
        if way.symbol in missing:
            return f"{way.symbol} is not a symbol of this kernel (inlined, or not built)"
        return None

    return plan(refuse, asked=asked)


def bare_plan() -> Plan:
    """Vital hooks only, by fentry."""

    def refuse(hook: Hook, way: Way) -> str | None:
        return None if hook.vital else "nothing of it is a symbol here"

    return plan(refuse)


def slot(family: str, values: list[int], wait: int = 0) -> Slot:
    """A slot that counted each of ``values``."""
    limits = boundaries(family)
    buckets = [0] * BUCKETS
    for value in values:
        index = bisect_left(limits, value)
        if index < BUCKETS:
            buckets[index] += 1
    return Slot(len(values), sum(values), wait, max(values, default=0), tuple(buckets))


def spread(count: int, low: int, high: int) -> list[int]:
    """``count`` values from ``low`` to ``high``, denser at the low end."""
    return [int(low * (high / low) ** ((i / max(1, count - 1)) ** 2)) for i in range(count)]


def snapshot(
    slots: dict[str, dict[Labels, Slot]],
    duration_ns: int = 10 * SECOND,
    now: int = NOW,
    waiting: tuple[Waiter, ...] = (),
    misses: dict[str, int | None] | None = None,
    recent: tuple[Recent, ...] = (),
) -> Snapshot:
    """A frozen snapshot of these slots."""
    frozen = {name: MappingProxyType(slots.get(name, {})) for name in FAMILIES}
    return Snapshot(
        now, duration_ns, MappingProxyType(frozen), waiting, MappingProxyType(misses or {}), recent=recent
    )


def _counted(count: int) -> Slot:
    return Slot(count)


def tracepoint_slots() -> dict[str, dict[Labels, Slot]]:
    """As counted on 6.18 without kprobes: MISSING runs, WP and MINOR skip."""
    reads: dict[Labels, Slot] = {
        ("user", "none", "shmem", "ran"): slot("read_fault", spread(257, 600, 9_000)),
        ("user", "none", "file", "ran"): slot("read_fault", spread(31, 700, 90_000)),
        ("user", "missing", "shmem", "ran"): slot("read_fault", spread(263, 650, 12_000)),
        ("user", "wp", "shmem", "skipped"): slot("read_fault", spread(4099, 350, 4_000)),
        ("user", "minor", "shmem", "skipped"): slot("read_fault", spread(1021, 900, 8_000), 31_415_926),
        ("user", "none", "file", "undetermined"): slot("read_fault", spread(3, 1_700, 2_000)),
    }
    waits = slot("userfault", spread(1021, 9_000, 21_000_000))
    return {
        "page_fault": {
            ("user",): slot("page_fault", spread(6113, 300, 12_000), 31_415_926),
            ("kernel",): slot("page_fault", spread(17, 800, 6_000)),
        },
        "read_fault": reads,
        "fault_around_run": {
            ("none", "shmem"): _counted(257),
            ("none", "file"): _counted(33),
            ("missing", "shmem"): _counted(263),
        },
        "userfault_begun": {("minor", "shmem"): _counted(1023)},
        "userfault": {
            ("minor", "shmem", "resolved"): waits,
            ("minor", "shmem", "interrupted"): slot("userfault", [5_000]),
        },
        "userfault_wait_begun": {("minor", "shmem"): _counted(1029)},
        "userfault_wait": {("minor", "shmem"): slot("userfault_wait", spread(1028, 8_000, 21_000_000))},
    }


def fentry_slots() -> dict[str, dict[Labels, Slot]]:
    """As counted on 6.1 by fentry."""
    slots = tracepoint_slots()
    del slots["read_fault"]["user", "none", "file", "undetermined"]
    slots["read_fault"] |= {
        ("kernel", "none", "file", "ran"): slot("read_fault", [1_500, 2_500]),
        ("gup", "missing", "shmem", "ran"): slot("read_fault", spread(13, 900, 2_000)),
        ("user", "none", "shmem", "not_applicable"): slot("read_fault", [3_000]),
    }
    slots["page_fault"]["gup",] = slot("page_fault", spread(19, 500, 3_000))
    slots["fault_around_run"] = {
        ("none", "shmem"): slot("fault_around_run", [16] * 251 + [0] * 2 + [1] * 2 + [3] * 2),
        ("none", "file"): slot("fault_around_run", [16] * 29 + [512] * 4),
        ("missing", "shmem"): slot("fault_around_run", [0] * 5 + [16] * 258),
    }
    slots["userfault_begun"] |= {("missing", "anon"): _counted(502), ("wp", "shmem"): _counted(127)}
    slots["userfault"] |= {
        ("missing", "anon", "resolved"): slot("userfault", spread(493, 6_000, 400_000)),
        ("missing", "anon", "sigbus"): slot("userfault", [700] * 7),
        ("missing", "anon", "nowait"): slot("userfault", [0] * 11),
        ("wp", "shmem", "resolved"): slot("userfault", spread(127, 11_000, 60_000_000)),
    }
    slots["userfault_wait_begun"] |= {("missing", "anon"): _counted(504), ("wp", "shmem"): _counted(127)}
    slots["userfault_wait"] |= {
        ("missing", "anon"): slot("userfault_wait", spread(502, 600, 400_000)),
        ("wp", "shmem"): slot("userfault_wait", spread(127, 11_000, 60_000_000)),
    }
    slots["swap_fault"] = {
        ("swap_slot", "no", "minor"): slot("swap_fault", spread(97, 900, 20_000)),
        ("swap_slot", "no", "major"): slot("swap_fault", spread(211, 3_000, 900_000)),
        ("swap_slot", "yes", "major"): slot("swap_fault", spread(59, 3_100, 700_000)),
        ("migration", "no", "retried"): slot("swap_fault", spread(7, 4_000, 80_000)),
        ("hwpoison", "no", "poisoned"): slot("swap_fault", [1_100]),
        ("marker_uffd_wp", "yes", "minor"): slot("swap_fault", spread(23, 600, 5_000)),
    }
    slots["shmem_swapin"] = {
        ("minor",): slot("shmem_swapin", spread(5, 700, 2_000)),
        ("major",): slot("shmem_swapin", spread(31, 2_900, 600_000)),
    }
    slots["swap_read"] = {
        ("swap_entry",): slot("swap_read", [1] * 211 + [8] * 59),
        ("shmem",): slot("swap_read", [1] * 3 + [8] * 27 + [5]),
    }
    slots["resolve"] = {
        ("copy", "ok"): slot("resolve", spread(491, 900, 80_000)),
        ("copy", "eexist"): slot("resolve", spread(3, 500, 700)),
        ("wake", "ok"): slot("resolve", spread(5, 300, 20_000)),
        ("writeprotect", "ok"): slot("resolve", spread(127, 700, 30_000_000_000)),
        ("continue", "eagain"): slot("resolve", spread(2, 400, 450)),
    }
    return slots


WAITERS = (
    Waiter(NOW - 12 * SECOND, 0x7F12_3456_7000, 4243, 4242, "missing", "anon"),
    Waiter(NOW - 31 * MS, 0x7F12_3456_8000, 4244, 4242, "missing", "anon"),
    Waiter(NOW - 8_000, 0x7F12_9999_0000, 4245, 4242, "minor", "shmem"),
)


RECENT = (
    Recent("missing", "anon", 14, 1_024_001, NOW - 9 * SECOND, 4242, 4250),
    Recent("minor", "shmem", 18, 21 * MS, NOW - 2 * MS, 4242, 4251),
    Recent("wp", "shmem", BUCKETS, 17 * SECOND, NOW - 1, 4300, 4300),
)
"""Oldest first."""


def profile(plan: Plan, total: Snapshot, intervals: tuple[Snapshot, ...] = (), **other: object) -> Profile:
    """A profile of a command."""
    facts: dict[str, object] = {
        "started_at": "2026-02-03T04:05:06+00:00",
        "pids": (),
        "command": Command(("./restore", "--snapshot", "vm.img"), 0),
        "kernel": KernelFacts("6.18.5", "x86_64", 65536, 1 << 41),
        "attach_ns": 241 * MS,
    }
    return Profile(plan=plan, total=total, intervals=intervals, **(facts | other))  # type: ignore[arg-type]


def by_tracepoints() -> Profile:
    """What this machine's kernel gives."""
    misses: dict[str, int | None] = {"raw_page_fault_user": 0, "raw_sched_switch": None}
    return profile(tracepoint_plan(), snapshot(tracepoint_slots(), waiting=WAITERS[2:], misses=misses))


def by_fentry() -> Profile:
    """What a Debian kernel gives, with intervals and waiting threads."""
    misses: dict[str, int | None] = {"kfunc__do_swap_page": 0}
    total = snapshot(fentry_slots(), waiting=WAITERS, misses=misses, recent=RECENT)
    return profile(fentry_plan(), total, intervals_of(total))


def intervals_of(total: Snapshot, parts: int = 10) -> tuple[Snapshot, ...]:
    """The total, taken apart into equal intervals that add up to it."""

    def part(value: int, index: int) -> int:
        return value * (index + 1) // parts - value * index // parts

    def share(whole: Slot, index: int) -> Slot:
        buckets = tuple(part(events, index) for events in whole.buckets)
        above = part(whole.count - sum(whole.buckets), index)
        own, wait = part(whole.sum, index), part(whole.wait, index)
        return Slot(above + sum(buckets), own, wait, whole.max, buckets)

    length = total.duration_ns // parts
    begin = total.monotonic_ns - total.duration_ns
    return tuple(
        snapshot(
            {f: {k: share(s, i) for k, s in by.items()} for f, by in total.slots.items()},
            length,
            begin + length * (i + 1),
            total.waiting if i == parts - 1 else (),
        )
        for i in range(parts)
    )


def with_misses() -> Profile:
    """Events were lost: the verdict cannot be told."""
    slots = fentry_slots() | {"missed": {("threads_full",): _counted(7)}}
    misses: dict[str, int | None] = {"kfunc__do_swap_page": 3, "kfunc__handle_userfault": None}
    return profile(
        fentry_plan(), snapshot(slots, waiting=WAITERS, misses=misses), command=Command(EVIL, None)
    )


def empty() -> Profile:
    """Nothing happened, and hardly anything is hooked."""
    kernel = KernelFacts("5.10.0", "x86_64", None, None)
    return profile(bare_plan(), snapshot({}), command=None, kernel=kernel)


ALL = {f.__name__: f for f in (by_tracepoints, by_fentry, with_misses, empty)}
