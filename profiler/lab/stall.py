# SPDX-License-Identifier: GPL-2.0-only
"""A guest that hangs, told by its own kernel on the console.

RCU waits for every CPU to pass through the scheduler. A grace period that has lasted 21 s is reported as
stalled (``CONFIG_RCU_CPU_STALL_TIMEOUT``), and again after three times as long if it still lasts. A guest on
a busy host can be stalled once and go on; a grace period that is reported twice has lasted for over a minute,
and whoever detaches a probe waits for it.
"""

import re

_REPORT = re.compile(
    r"""
    detected\ by\ \d+,\ t=\d+\ jiffies,\ g=(?P<others>-?\d+)   # print_other_cpu_stall()
    | \(t=\d+\ jiffies\ g=(?P<own>-?\d+)                       # print_cpu_stall()
    | jiffies\ s:\ (?P<expedited>\d+)\ root:                   # synchronize_rcu_expedited_wait()
    """,
    re.VERBOSE,
)
"""The end of a report, in kernel/rcu/tree_stall.h and tree_exp.h: it names the grace period."""


class Stalls:
    """The reports that a guest's console has shown.

    Example::

        stalls = Stalls()
        stalls.hear("rcu: \\t(detected by 1, t=5252 jiffies, g=7281, q=9 ncpus=2)")  # False: it may go on
        stalls.hear("rcu: \\t(detected by 1, t=21007 jiffies, g=7281, q=12 ncpus=2)")  # True
    """

    def __init__(self) -> None:
        self._reported: set[tuple[str, str]] = set()

    def hear(self, line: str) -> bool:
        """Take in one line; return whether it reports a grace period that was reported before."""
        found = _REPORT.search(line)
        if not found:
            return False
        kind = "expedited" if found["expedited"] else "normal"
        period = (kind, found["expedited"] or found["others"] or found["own"])
        if period in self._reported:
            return True
        self._reported.add(period)
        return False
