# SPDX-License-Identifier: GPL-2.0-only
"""What every output of a comparison is made from: what was found, and how the conditions came out."""

from dataclasses import dataclass

from ...comparison.conditions import Judgement
from ...comparison.result import Comparison


@dataclass(frozen=True)
class Report:
    """``judgements``: of each ``--fail-if``, in their order. ``exit_code``: of the command."""

    comparison: Comparison
    judgements: tuple[Judgement, ...]
    exit_code: int
