# SPDX-License-Identifier: GPL-2.0-only
"""How a workload is called: by the options in which the workloads of a grid differ."""

from collections.abc import Sequence

from .loading import Cell

_FIRST = ("mode", "backing", "cache", "access", "order")
"""Options that come first, and of which the first two are always named."""


def names(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Cell → ``mode minor, backing memfd, cache full``; each is another."""
    values: dict[str, set[object]] = {}
    for cell in cells:
        for name, value in cell:
            values.setdefault(name, set()).add(repr(value))
    varying = {name for name, found in values.items() if len(found) > 1}
    varying |= {name for name in values if any(name not in dict(cell) for cell in cells)}
    shown = sorted(varying | (set(_FIRST[:2]) & values.keys()), key=_rank)
    return {cell: _name(cell, shown) for cell in cells}


def _rank(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _name(cell: Cell, shown: Sequence[str]) -> str:
    given = dict(cell)
    return ", ".join(f"{name} {_word(given[name])}" for name in shown if name in given) or "one workload"


def _word(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none given" if value is None else str(value)
