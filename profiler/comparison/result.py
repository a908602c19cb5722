# SPDX-License-Identifier: GPL-2.0-only
"""The one frozen value that every output of a comparison is made from."""

from dataclasses import dataclass
from typing import Literal

from .distributions import Limits
from .figures import Figure
from .loading import Cell, Side

Method = Literal[
    "exact", "bootstrap", "paired bootstrap", "conditional binomial", "binomial", "histogram", "none"
]
"""How an interval was made; docs/compare.md explains each.

``exact``: the figure was equal in every run of a side, and the interval is a point. ``none``: there is no
interval.
"""

Shown = Literal["more", "less", "none shown", "unknown"]


@dataclass(frozen=True)
class Change:
    """After against before. ``limits``: 95 %; ``None`` where there are none, ``inf`` where one is missing."""

    estimate: float
    limits: Limits | None


@dataclass(frozen=True)
class Row:
    """One figure of one selection.

    ``labels``: the label set, of a row of a family. ``before``, ``after``: ``None`` where there is no such
    figure. ``after_limits``: 95 % of ``after`` alone. ``ratio``: after / before, ``None`` where nothing was
    before. ``units``: what was resampled on each side. ``p_value``: of the exact permutation test.
    ``why_not``: in words, why figures or intervals are missing. ``values``: of each run, or pair of runs,
    where there are several.
    """

    figure: Figure
    labels: dict[str, str]
    before: float | None = None
    after: float | None = None
    after_limits: Limits | None = None
    difference: Change | None = None
    ratio: Change | None = None
    method: Method = "none"
    units: tuple[int, int] = (0, 0)
    p_value: float | None = None
    why_not: str | None = None
    values: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    @property
    def shown(self) -> Shown:
        """What the samples show. Never that two figures are equal.

        A difference is shown when neither interval includes none, and the exact test, where made, agrees at
        5 %.
        """
        change = self.difference
        if change is None or change.limits is None:
            return "unknown"
        low, high = change.limits
        within = low <= 0 <= high
        if self.ratio and self.ratio.limits and not within:
            within = self.ratio.limits[0] <= 1 <= self.ratio.limits[1]
        if within or (self.p_value is not None and self.p_value > ALPHA):
            return "none shown"
        return "more" if low > 0 else "less"


ALPHA = 0.05


@dataclass(frozen=True)
class Group:
    """Rows of one selection. ``cell``: the workload; ``None`` for all together. ``mode``: ``None`` for all.

    ``own``: of a workload, the mode that it was made for. ``family``: of rows by label set.
    """

    title: str
    rows: tuple[Row, ...]
    cell: Cell | None = None
    mode: str | None = None
    own: bool = True
    family: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Everything that was found. ``totals``: over all workloads, first all modes together, then each mode.

    ``cells``: of each workload. ``families``: rows by label set. ``only_before``, ``only_after``: workloads
    of one side alone. ``notes``: what a reader must know.
    """

    before: Side
    after: Side
    notes: tuple[str, ...]
    totals: tuple[Group, ...]
    cells: tuple[Group, ...]
    families: tuple[Group, ...]
    only_before: tuple[Cell, ...]
    only_after: tuple[Cell, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """All of them."""
        return (*self.totals, *self.cells, *self.families)
