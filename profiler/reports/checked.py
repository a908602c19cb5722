# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of ``check``: a table for people, a document for programs, from one frozen value."""

from dataclasses import dataclass
from typing import Any

from ..hooks.planner import Plan
from ..profile import KernelFacts
from ..snapshot import Snapshot
from ..verdict import Compliance, Verdict, followed
from ..workload.result import Result
from . import json

PAGE_CACHE = ("memfd", "memfd-private", "tmpfs")
"""Backings of the workload that can fault around."""


@dataclass(frozen=True)
class Case:
    """One run of the workload.

    ``result`` is ``None`` if it cannot run here, and ``unsupported`` says why.
    """

    backing: str
    mode: str
    result: Result | None
    unsupported: str
    disagreement: str


@dataclass(frozen=True)
class Check:
    """Everything that ``check`` found. ``supported``: the modes that the kernel has."""

    kernel: KernelFacts
    plan: Plan
    policy: str | None
    compliance: Compliance | None
    verdicts: tuple[Verdict, ...]
    supported: frozenset[str]
    cases: tuple[Case, ...]
    total: Snapshot
    exit_code: int

    def verdict(self, mode: str) -> Verdict:
        """The verdict on a mode."""
        return next(verdict for verdict in self.verdicts if verdict.mode == mode)


def to_text(check: Check) -> str:
    """The verdict table and the answer."""
    way = check.plan.way("map_pages")
    lines = [f"kernel {check.kernel.release} {check.kernel.machine}, fault-around seen by {way}", ""]
    lines.append(f"{'uffd mode':<18}{'fault-around':<15}{'faults':>7}{'ran':>6}{'pages':>7}  evidence")
    for verdict in check.verdicts:
        if verdict.mode != "none" and verdict.mode not in check.supported:
            why = next((c.unsupported for c in check.cases if c.mode == verdict.mode), "")
            lines.append(f"{verdict.mode:<18}{'unsupported':<15}{'-':>7}{'-':>6}{'-':>7}  {why}")
            continue
        name = "none (control)" if verdict.mode == "none" else verdict.mode
        pages = "n/a" if verdict.mapped_pages is None else str(verdict.mapped_pages)
        faults = verdict.ran + verdict.not_run
        lines.append(f"{name:<18}{verdict.answer:<15}{faults:>7}{verdict.ran:>6}{pages:>7}  {verdict.reason}")
    if check.plan.way("pages_mapped") == "none":
        lines.append(f"\npages mapped: {check.plan.hook('pages_mapped').reason}")
    lines += ["", *_evidence(check)]
    lines += ["", conclusion(check)]
    return "\n".join(lines)


def _evidence(check: Check) -> list[str]:
    """What the workload took by its own count, and what of it could not be run."""
    lines = []
    ran = [case.result for case in check.cases if case.result]
    backings = dict.fromkeys(case.backing for case in check.cases if case.result)
    if check.plan.way("read_fault") != "none" and not any(case.disagreement for case in check.cases):
        own = sum(result.expected_faults for result in ran if result.options["backing"] in PAGE_CACHE)
        waits = sum(result.expected_userfaults.total for result in ran)
        lines.append(
            f"{len(ran)} cases over {', '.join(backings)}: each of the workload's own {own} read faults\n"
            f"of the page cache and {waits} userfaults was counted exactly once."
        )
    for backing in dict.fromkeys(case.backing for case in check.cases if not case.result):
        missing = [case for case in check.cases if case.backing == backing and not case.result]
        modes = "" if backing not in backings else f" ({', '.join(case.mode for case in missing)})"
        lines.append(f"not run: {backing}{modes}: {missing[0].unsupported}")
    return lines


def conclusion(check: Check) -> str:
    """One sentence: which policy the kernel follows, and whether it had to."""
    found = followed(check.verdicts)
    if check.policy is None:
        sentence = found.sentence()
        return sentence[0].upper() + sentence[1:] + "."
    known = f" (it follows {found.name})" if found.name and found.name != check.policy else ""
    return {
        "follows": f"As the policy {check.policy} says.",
        "violates": f"AGAINST the policy {check.policy}{known}.",
    }.get(str(check.compliance), f"Cannot tell whether the kernel follows the policy {check.policy}.")


def document(check: Check) -> dict[str, Any]:
    """Plain data; ``docs/json.md`` describes it."""
    cases: list[dict[str, Any]] = [
        {
            "backing": case.backing,
            "mode": case.mode,
            "own_faults": case.result.expected_faults if case.result else None,
            "unsupported": case.unsupported or None,
            "disagreement": case.disagreement or None,
        }
        for case in check.cases
    ]
    return json.check_document(
        check.verdicts,
        check.kernel,
        check.plan,
        set(check.supported),
        check.policy,
        check.compliance,
        cases,
        int(check.exit_code),
    )


def to_json(check: Check) -> str:
    """The document as indented JSON."""
    return json.dump(document(check))
