# SPDX-License-Identifier: GPL-2.0-only
"""The verdict per uffd mode, and the declared policy."""

import math
from collections.abc import Iterator

from prometheus_client import Metric

from ...verdict import Answer, policy
from ..live import Moment
from .series import gauge, single

ANSWERS: dict[Answer, str] = {"ran": "ran", "skipped": "skipped", "not exercised": "not_exercised"}


def verdict(moment: Moment) -> Iterator[Metric]:
    """One of the answers of a mode is 1, the others are 0."""
    yield gauge(
        "uffd_fault_around_verdict",
        "Whether fault-around (->map_pages by do_fault_around) runs in regions of a userfaultfd mode: the "
        "verdict that holds is 1.",
        ("uffd_mode", "verdict"),
        (
            ((v.mode, label), float(v.answer == answer))
            for v in moment.verdicts
            for answer, label in ANSWERS.items()
        ),
    )
    size = moment.kernel.fault_around_bytes
    yield single(
        "uffd_fault_around_bytes",
        "The kernel's fault_around_bytes (debugfs) when the profiler attached; NaN where it cannot be read.",
        math.nan if size is None else size,
    )
    if moment.policy is None:
        return
    yield gauge(
        "uffd_fault_around_policy_info",
        "The policy that was declared with --policy.",
        ("policy",),
        [((moment.policy,), 1)],
    )
    wanted = policy(moment.policy)
    yield gauge(
        "uffd_fault_around_policy_violated",
        "1 where the verdict of a userfaultfd mode contradicts the declared policy; not_exercised does not.",
        ("uffd_mode",),
        (
            ((v.mode,), float(v.answer not in ("not exercised", wanted[v.mode])))
            for v in moment.verdicts
            if v.mode in wanted
        ),
    )
