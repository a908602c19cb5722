# SPDX-License-Identifier: GPL-2.0-only
"""Whether the hooks still work: a page fault of our own has to show in the figures, every tick."""

import mmap
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..hooks.planner import Plan, PlannedHook
from ..kernel import abilities
from ..snapshot import Snapshot


@dataclass(frozen=True)
class HookHealth:
    """``alive``: ``None`` where it cannot be told. ``reason``: why there is no way, or why it is dead."""

    hook: PlannedHook
    alive: bool | None
    reason: str


@dataclass(frozen=True)
class Health:
    """``ready``: attached, and no hook has died. ``reason``: in words, if not."""

    ready: bool
    reason: str | None
    hooks: tuple[HookHealth, ...] = ()


class Canary:
    """A page of a file, mapped for reading: touched and forgotten again, it faults every time.

    A file and not shared memory, so that the figures of what is registered with userfaultfd stay free of it.

    :param path: any file of at least one page that lies in the page cache; our interpreter does.
    """

    def __init__(self, path: Path = Path(sys.executable)) -> None:
        with path.open("rb") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE, mmap.MAP_PRIVATE, mmap.PROT_READ)

    def touch(self) -> None:
        """Raise one read fault."""
        self._page.madvise(mmap.MADV_DONTNEED)
        self._page[0]

    def close(self) -> None:
        """Unmap."""
        self._page.close()


_SIGNS: dict[str, Callable[[Snapshot], int]] = {
    "fault": lambda s: s.total("page_fault", origin=("user", "kernel")).count,
    "read_fault": lambda s: s.total("read_fault", backing="file", uffd_mode="none").count,
    "map_pages": lambda s: s.total("fault_around_run", backing="file", uffd_mode="none").count,
}
"""What the canary's fault increases, by the hook that sees it. The others cannot be provoked from here."""


class Watch:
    """Follows the hooks from tick to tick.

    :param cpus: the CPUs that are online now; asked at every check.
    """

    def __init__(self, plan: Plan, cpus: Callable[[], tuple[int, ...]] = abilities.online_cpus) -> None:
        self._plan = plan
        self._cpus = cpus
        self._attached_to = set(cpus())
        self._before = dict.fromkeys(_SIGNS, 0)
        self._seen: set[str] = set()

    def check(self, total: Snapshot) -> Health:
        """Judge figures that were read after the canary was touched once more."""
        found = tuple(self._judge(hook, total) for hook in self._plan.hooks)
        dead = [one for one in found if one.alive is False]
        reason = "; ".join(f"the hook {one.hook.name} has died: {one.reason}" for one in dead)
        return Health(not dead, reason or None, found)

    def _judge(self, hook: PlannedHook, total: Snapshot) -> HookHealth:
        if hook.way == "none":
            return HookHealth(hook, None, hook.reason)
        late = sorted(set(self._cpus()) - self._attached_to)
        if late and any(a.kind == "software_event" for a in hook.attachments):
            names = ", ".join(map(str, late))
            return HookHealth(hook, False, f"CPU {names} came online later and is not covered; restart")
        if hook.name not in _SIGNS:
            return HookHealth(hook, None, "")
        now = _SIGNS[hook.name](total)
        grown, self._before[hook.name] = now > self._before[hook.name], now
        if grown:
            self._seen.add(hook.name)
            return HookHealth(hook, True, "")
        if hook.name == "fault" or hook.name in self._seen:
            return HookHealth(hook, False, "a fault of our own was not counted; restart")
        return HookHealth(hook, None, "")  # it may be that this kernel faults around nothing
