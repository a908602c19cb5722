# SPDX-License-Identifier: GPL-2.0-only
"""Does this kernel fault around in registered regions, and is that what was declared?"""

from ..panels import BYTES, NUMBER, Panel, Target, numbers, timeline
from ..promql import MODE, own

TITLE = "Verdict: does fault-around run in userfaultfd-registered regions?"

VERDICTS = {0: ("not exercised", "gray"), 1: ("ran", "blue"), 2: ("skipped", "orange")}
COMPLIANCE = {-1: ("not declared", "gray"), 0: ("as declared", "green"), 1: ("violated", "red")}
UNKNOWN = {-1: ("unknown", "gray")}


def panels() -> tuple[Panel, ...]:
    """Now, then over time."""
    return (
        numbers(
            "Fault-around by uffd mode",
            "The verdict of each mode. skipped: read faults of which none called ->map_pages, while it was "
            "called in an unregistered region. not exercised: too few faults, no control, or a lost event.",
            NUMBER,
            Target(_verdict(), "{{uffd_mode}} {{instance}}"),
            states=VERDICTS,
            width=16,
        ),
        numbers(
            "Declared policy",
            "What was given to --policy; none when nothing was, and then nothing can be violated.",
            NUMBER,
            Target(_policy(), "{{policy}}"),
            names=True,
        ),
        numbers(
            "fault_around_bytes",
            "How much the kernel faults around; one page (4 KiB) turns it off. unknown: debugfs cannot be "
            "read.",
            BYTES,
            Target(
                f"{own('uffd_fault_around_bytes')} >= 0 or {own('uffd_profiler_ready')} * 0 - 1",
                "{{instance}}",
            ),
            states=UNKNOWN,
        ),
        timeline(
            "Verdict over time",
            "A change without a new kernel means that the evidence changed: a mode was used for the first "
            "time, or the service began anew.",
            NUMBER,
            Target(_verdict(), "{{uffd_mode}} {{instance}}"),
            states=VERDICTS,
        ),
        timeline(
            "Against the declared policy",
            "violated: the verdict of this mode contradicts --policy. A mode that was not exercised violates "
            "nothing. not declared: the policy says nothing of this mode, or there is none.",
            NUMBER,
            Target(_compliance(), "{{uffd_mode}} {{instance}}"),
            states=COMPLIANCE,
        ),
    )


def _verdict() -> str:
    """One number a mode: the key of ``VERDICTS``."""
    ran, skipped = (
        f"sum without (verdict) ({own('uffd_fault_around_verdict', MODE, matcher)})"
        for matcher in ('verdict="ran"', 'verdict="skipped"')
    )
    return f"{ran} + 2 * {skipped}"


def _compliance() -> str:
    """``uffd_fault_around_policy_violated`` exists only with --policy: without it, -1 for each mode."""
    every = f"count without (verdict) ({own('uffd_fault_around_verdict', MODE)})"
    return f"{own('uffd_fault_around_policy_violated', MODE)} or {every} * 0 - 1"


def _policy() -> str:
    """The name is a label; without --policy a label of the same name that says so."""
    none = f'label_replace({own("uffd_profiler_build_info")}, "policy", "none", "", "")'
    declared = own("uffd_fault_around_policy_info")
    return (
        f"max by (job, instance, policy) ({declared}) "
        f"or on (job, instance) max by (job, instance, policy) ({none})"
    )
