# SPDX-License-Identifier: GPL-2.0-only
"""How the figures of a comparison are written: the same in every output for people."""

import re
from math import inf

from ...comparison.distributions import Limits
from ...comparison.figures import Figure, Unit
from ...comparison.result import Change, Row
from ...kernel.clock import Clock
from ..units import NOTHING, duration

UNITS: dict[Clock, str] = {"hardware": "ns", "emulated": "ns under emulation", "instructions": "insn"}
"""What a time is, by the clock."""

NONE_SHOWN = "no difference that these samples can show"
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_EXACT = 10_000_000
"""Whole numbers below this are written out."""


def title(figure: Figure, clock: Clock) -> str:
    """The figure in words; what is no time is not called so."""
    return figure.title.replace("time", "insn", 1) if clock == "instructions" else figure.title


def unit(figure: Figure, clock: Clock) -> str:
    """As the JSON has it."""
    return UNITS[clock] if figure.unit == "time" else figure.unit


def amount(value: float | None, kind: Unit, clock: Clock) -> str:
    """A figure itself: ``4099``, ``16.31``, ``9.75%``, ``1.23us``, and of instructions ``12.3k``."""
    if value is None:
        return NOTHING
    if value == inf:
        return "any"
    if kind == "share":
        return f"{100 * value:.2f}%"
    if kind == "time" and clock != "instructions":
        return duration(value)
    if value == int(value) and value < _EXACT:
        return str(int(value))
    return _short(value)


def _short(value: float) -> str:
    """Three significant digits, or two decimals of what is small."""
    for size, suffix in _LARGE:
        if value >= size * 0.9995:
            return f"{_three(value / size)}{suffix}"
    return f"{value:.3g}" if value < 0.095 else f"{value:.2f}" if value < 99.5 else f"{value:.0f}"


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def signed(value: float, kind: Unit, clock: Clock) -> str:
    """A change: ``+240``, ``-1.23us``, of shares in points of percent; what rounds to 0 has no sign."""
    written = amount(abs(value), kind, clock)
    sign = "-" if value < 0 else "+"
    return sign + written if re.search("[1-9a]", written) else written


def change(found: Change | None, kind: Unit, clock: Clock) -> tuple[str, str]:
    """The change and its interval."""
    if found is None:
        return NOTHING, NOTHING
    return signed(found.estimate, kind, clock), _range(
        found.limits, *(signed(limit, kind, clock) for limit in found.limits or ())
    )


def ratio(found: Change | None) -> tuple[str, str]:
    """After / before, and its interval."""
    if found is None:
        return NOTHING, NOTHING
    limits = found.limits
    if limits and limits[1] == inf and limits[0] != inf:
        return f"x{plain(found.estimate)}", f"{plain(limits[0])} or more"
    return f"x{plain(found.estimate)}", _range(limits, *(plain(limit) for limit in limits or ()))


def plain(value: float) -> str:
    """A bare number, three significant digits."""
    return "any" if value == inf else _three(value) if 0.0995 <= value < 999.5 else f"{value:.3g}"


def _range(limits: Limits | None, *ends: str) -> str:
    if limits is None:
        return NOTHING
    return "exact" if limits[0] == limits[1] else " to ".join(ends)


def labels(row: Row) -> str:
    """``kind=swap_slot,uffd_wp=no,result=minor``, as ``--fail-if`` takes it; of all together ``all``."""
    return ",".join(f"{axis}={value}" for axis, value in row.labels.items()) or "all"
