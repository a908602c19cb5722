# SPDX-License-Identifier: GPL-2.0-only
"""How numbers and foreign words are written: the same in every output."""

import math

from ..slots import time_boundaries_ns
from ..snapshot import Slot

NOTHING = "-"
"""Stands for a figure of no event: neither zero nor unknown."""

_UNITS = ((1, "ns"), (1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))


def duration(ns: float, *, up: bool = False) -> str:
    """``ns`` nanoseconds with three significant digits and a unit: ``1.23us``.

    :param up: round up, for a value that is an upper limit.
    """
    if ns < 1:
        return "0ns" if not (ns and up) else "1ns"
    exponent = math.floor(math.log10(ns)) - 2
    if exponent > 0:
        step = 10**exponent
        ns = (math.ceil(ns / step) if up else round(ns / step)) * step
    else:
        ns = math.ceil(ns) if up else round(ns)
    size, unit = next((s, u) for s, u in reversed(_UNITS) if ns >= s or s == 1)
    value = ns / size
    decimals = 0 if unit == "ns" or value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{decimals}f}{unit}"


def at_most(ns: int | None) -> str:
    """A quantile: the upper limit that is known of it, in ns."""
    return NOTHING if ns is None else "<=" + duration(ns, up=True)


def number(value: float | None) -> str:
    """A mean of plain numbers, with two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def times(slot: Slot) -> tuple[str, str, str, str]:
    """Mean, p50, p99 and max of a slot of durations; the quantiles are upper limits."""
    if not slot.count:
        return (NOTHING,) * 4
    limits = time_boundaries_ns()
    return (
        duration(slot.sum / slot.count),
        at_most(slot.quantile(0.5, limits)),
        at_most(slot.quantile(0.99, limits)),
        duration(slot.max),
    )


def words(name: str) -> str:
    """A label value as words: ``returned_early`` → ``returned early``."""
    return name.replace("_", " ")


def printable(text: str) -> str:
    """Foreign text without control, format or undecodable characters: each is written as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
