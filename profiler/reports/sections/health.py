# SPDX-License-Identifier: GPL-2.0-only
"""How far the report can be trusted: what was missed, and where the figures come from."""

from ...hooks.planner import Plan
from ...profile import Profile
from ...slots import MISSED
from ..table import Column, Section, left
from ..units import words

_MISSED_WORDS = {
    "threads_full": "more threads faulted at once than there is room for",
    "processes_full": "a fork could not be followed: too many processes",
    "waiting_full": "no room in the table of waiting threads",
    "vma_unknown": "the region of a fault was not found",
    "return_lost": "a probe lost the return of its function",
    "ioctl_return_lost": "the same of an ioctl that resolves: no matter for the verdict",
    "swap_return_lost": "the same of a swap-in: no matter for the verdict",
}


def hook_of(plan: Plan, program: str) -> str:
    """The hooks that a program belongs to."""
    names = (h.name for h in plan.hooks for a in h.attachments if a.program == program)
    return ", ".join(dict.fromkeys(names)) or "-"


def missed(profile: Profile) -> Section:
    """Events lost, per cause; runs of a program that the kernel left out, per program."""
    rows = []
    for cause in MISSED:
        count = profile.total.total("missed", cause=cause).count
        if count:
            rows.append((words(cause), _MISSED_WORDS[cause], str(count)))
    silent: list[str] = []
    for program, lost in profile.total.recursion_misses.items():
        if lost is None:
            silent.append(program)
        elif lost:
            rows.append((f"recursion in {program}", f"hook {hook_of(profile.plan, program)}", str(lost)))
    told = len(profile.total.recursion_misses) - len(silent)
    missing: tuple[tuple[str, str], ...] = ()
    if silent:
        which = "recursion misses" + (f" of {', '.join(silent)}" if told else "")
        missing = ((which, "not available: this kernel does not tell"),)
    return Section(
        "missed",
        "Missed events",
        "any of them makes the verdict 'not exercised'",
        (left("cause"), left("what"), Column("count")),
        tuple(rows),
        missing,
        empty="none",
    )


def hooks(profile: Profile) -> Section:
    """Each hook and its way, or why it has none."""
    rows = []
    for hook in profile.plan.hooks:
        where = hook.symbol or ", ".join(dict.fromkeys(a.target for a in hook.attachments))
        rows.append(
            (hook.name, hook.way, hook.reason if hook.way == "none" else where or "nothing of its own")
        )
    return Section(
        "hooks",
        "Hooks",
        "where the figures come from",
        (left("hook"), left("way"), left("attached to, or why not")),
        tuple(rows),
    )
