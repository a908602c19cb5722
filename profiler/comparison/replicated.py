# SPDX-License-Identifier: GPL-2.0-only
"""A row's intervals from the resamples of both sides."""

from dataclasses import replace
from math import inf

from .distributions import Limits
from .resampling import expanded_percentiles
from .result import Change, Method, Row


def from_replicates(
    found: Row, method: Method, before: list[float | None], after: list[float | None], units: int
) -> Row:
    """Limits of the difference, of the ratio and of what is after, by expanded percentiles.

    :param units: of the smaller side.
    """
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if b is not None and a is not None]
    if len(pairs) < len(before):
        return replace(found, why_not="too few events for an interval")
    difference = expanded_percentiles([a - b for b, a in pairs], units)
    ratios = [a / b if b else inf for b, a in pairs]
    return replace(
        found,
        method=method,
        difference=found.difference and Change(found.difference.estimate, difference),
        ratio=found.ratio and Change(found.ratio.estimate, _positive(expanded_percentiles(ratios, units))),
        after_limits=_positive(expanded_percentiles([a for _, a in pairs], units)),
    )


def _positive(limits: Limits) -> Limits:
    """Of what cannot be less than nothing."""
    return max(0.0, limits[0]), limits[1]
