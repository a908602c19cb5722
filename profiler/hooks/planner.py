# SPDX-License-Identifier: GPL-2.0-only
"""Which way each hook takes on this kernel, and why not a better one."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from .catalogue import HOOKS, WAYS, Attachment, Hook, Way, WayName

BY_TRACEPOINTS = "not available by tracepoints"
NOT_ASKED = "not asked for"


@dataclass(frozen=True)
class PlannedHook:
    """The way taken for one hook.

    ``refused``: for each better way, why it was not taken. ``reason``: with way ``none``, why none.
    """

    name: str
    what: str
    way: WayName
    symbol: str | None
    attachments: tuple[Attachment, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def reason(self) -> str:
        """One phrase on why this hook has no way."""
        if self.way != "none":
            return ""
        return "; ".join(dict.fromkeys(reason for _, reason in self.refused)) or BY_TRACEPOINTS


@dataclass(frozen=True)
class Plan:
    """The hooks in catalogue order."""

    hooks: tuple[PlannedHook, ...]

    def way(self, hook: str) -> WayName:
        """The way that a hook takes."""
        return self.hook(hook).way

    def hook(self, name: str) -> PlannedHook:
        """The planned hook of that name."""
        return next(hook for hook in self.hooks if hook.name == name)

    def to_json(self) -> list[dict[str, Any]]:
        """As plain data, for the hand-over and the JSON output."""
        return [asdict(hook) for hook in self.hooks]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> "Plan":
        """Inverse of :meth:`to_json`."""
        hooks = []
        for item in data:
            attachments = tuple(Attachment(**attachment) for attachment in item["attachments"])
            refused = tuple((way, reason) for way, reason in item["refused"])
            hooks.append(PlannedHook(**{**item, "attachments": attachments, "refused": refused}))
        return cls(tuple(hooks))


Refuse = Callable[[Hook, Way], str | None]


def plan(refuse: Refuse, best: WayName = "fentry", asked: Mapping[str, bool] = MappingProxyType({})) -> Plan:
    """Take for each hook the first way that is not refused.

    :param refuse: says why a way cannot be taken on this kernel, ``None`` if it can.
    :param best: the best way allowed; ``"kprobe"`` leaves fentry out, ``"tracepoint"`` both.
    :param asked: hook → ``True``: also by a way that costs much; ``False``: by none.
    """
    allowed = WAYS[WAYS.index(best) :]
    chosen: dict[str, PlannedHook] = {}
    for hook in HOOKS:
        beside = chosen[hook.beside].way if hook.beside else None
        chosen[hook.name] = _choose(hook, allowed, beside, refuse, asked.get(hook.name))
    return Plan(tuple(chosen.values()))


def _choose(
    hook: Hook, allowed: tuple[WayName, ...], beside: WayName | None, refuse: Refuse, asked: bool | None
) -> PlannedHook:
    refused: list[tuple[str, str]] = []
    for way in hook.ways:
        why: str | None = None
        if asked is False:
            why = NOT_ASKED
        elif way.name not in allowed:
            why = "left out by --best-way"
        elif way.costs and not asked:
            why = f"{NOT_ASKED}: by {way.name}s it costs {way.costs}"
        elif beside == "none":
            why = f"of no use without the hook {hook.beside}"
        elif beside is not None and (way.name == "tracepoint") != (beside == "tracepoint"):
            why = BY_TRACEPOINTS
        else:
            why = refuse(hook, way)
        if why is None:
            return PlannedHook(hook.name, hook.what, way.name, way.symbol, way.attachments, tuple(refused))
        refused.append((way.name, why))
    return PlannedHook(hook.name, hook.what, "none", None, (), tuple(refused))
