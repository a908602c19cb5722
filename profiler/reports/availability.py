# SPDX-License-Identifier: GPL-2.0-only
"""What the ways taken cannot tell, decided in this one place for every output.

An answer is ``None`` where the figure is available, else the phrase that stands in its place. A figure
that is not available is never shown as 0.
"""

from ..hooks.planner import BY_TRACEPOINTS, NOT_ASKED, Plan
from ..slots import FAMILIES

TIMES = ("count", "sum", "wait", "max", "buckets")
_BY_FUNCTION = ("fentry", "kprobe")
_HOOKS_OF = {
    "read_fault": ("map_pages", "read_fault"),
    "fault_around_run": ("map_pages",),
    "userfault_begun": ("userfault",),
    "userfault": ("userfault",),
    "userfault_wait_begun": ("userfault",),
    "userfault_wait": ("userfault",),
    "swap_fault": ("swap_entry",),
    "shmem_swapin": ("shmem_swapin",),
    "swap_read": ("swap_read",),
    "resolve": ("resolve",),
}
_TWINS = ("returned_early", "not_entered")
_READERS = {"swap_entry": "swap_entry", "shmem": "shmem_swapin"}
"""What a fault reads from swap for → the hook that tells."""


def hook(plan: Plan, name: str) -> str | None:
    """Why nothing comes from a hook; ``None`` when it is attached."""
    found = plan.hook(name)
    if found.way != "none":
        return None
    for _, reason in found.refused:
        if reason.startswith(NOT_ASKED):
            return reason
    if plan.way("fault") == "tracepoint" or BY_TRACEPOINTS in found.reason:
        return BY_TRACEPOINTS
    return f"not available: {found.reason}"


def family(plan: Plan, name: str) -> str | None:
    """Why a whole family of figures is missing."""
    reasons = (hook(plan, needed) for needed in _HOOKS_OF.get(name, ()))
    return next((reason for reason in reasons if reason), None)


def value(plan: Plan, name: str, axis: str, label: str) -> str | None:
    """Why events with a label value are missing from a family, or cannot be told from others."""
    if axis == "origin" and label == "gup" and plan.way("fault") not in _BY_FUNCTION:
        return BY_TRACEPOINTS
    if name == "userfault" and label in ("sigbus", "nowait") and plan.way("userfault") not in _BY_FUNCTION:
        return hook(plan, "userfault") or BY_TRACEPOINTS
    if axis == "fault_around":
        return _outcome(plan, label)
    if name == "swap_read":
        return hook(plan, _READERS[label])
    if name == "shmem_swapin" and label == "major":
        phrase = hook(plan, "swap_read")
        return phrase and f"{phrase}; they are among the minor ones"
    return None


def _outcome(plan: Plan, outcome: str) -> str | None:
    if plan.way("fault_around_entered") != "none":
        if outcome == "skipped":
            return "not available: told apart here as 'returned early' and 'not entered'"
        return None
    if outcome not in _TWINS:
        return None
    if plan.way("map_pages") == "tracepoint":
        return BY_TRACEPOINTS
    reason = plan.hook("fault_around_entered").reason
    return f"not available: {reason}, so the two look the same: both are 'skipped'"


def figure(plan: Plan, name: str, which: str) -> str | None:
    """Why a figure of a family is missing.

    :param which: one of :data:`TIMES`.
    """
    absent = family(plan, name)
    if absent or which == "count":
        return absent
    if name == "fault_around_run":
        return hook(plan, "pages_mapped")
    return None


def notes(plan: Plan, name: str) -> tuple[str, ...]:
    """What a reader of an available family must know of its limits."""
    if family(plan, name):
        return ()
    found = []
    if name == "fault_around_run":
        if plan.way("map_pages") == "tracepoint":
            found.append("Runs whose window held no page at all are not seen by tracepoints.")
        elif not hook(plan, "pages_mapped") and hook(plan, "huge_page_mapped"):
            why = plan.hook("huge_page_mapped").reason
            found.append(f"Pages of huge mappings are not counted: {why}.")
    if name == "userfault" and plan.way("fault") not in _BY_FUNCTION:
        found.append("Userfaults of faults raised by the kernel itself are not seen by tracepoints.")
    if name == "resolve" and plan.way("resolve") == "tracepoint":
        found.append("By tracepoints the time is that of the whole system call.")
    return tuple(found)


def unavailable(plan: Plan) -> dict[str, str]:
    """Everything that is missing: ``family``, ``family.figure`` or ``family{axis=value}`` → phrase."""
    found: dict[str, str] = {}
    for name, declared in FAMILIES.items():
        absent = family(plan, name)
        if absent:
            found[name] = absent
            continue
        for which in TIMES:
            if phrase := figure(plan, name, which):
                found[f"{name}.{which}"] = phrase
        for axis, labels in declared.axes:
            for label in labels:
                if phrase := value(plan, name, axis, label):
                    found[f"{name}{{{axis}={label}}}"] = phrase
    return found
