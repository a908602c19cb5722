# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of ``check``: a table for people, a document for programs, from one frozen value."""

import json
from dataclasses import dataclass

from ..hooks.planner import Plan
from ..profile import KernelFacts
from ..snapshot import Snapshot
from ..verdict import Compliance, Verdict
from ..workload.result import Result

SCHEMA = "uffd-profiler/check/1"


@dataclass(frozen=True)
class Case:
    """One run of the workload. ``result`` is ``None``, and ``unsupported`` says why, if it cannot run here."""

    backing: str
    mode: str
    result: Result | None
    unsupported: str
    disagreement: str


@dataclass(frozen=True)
class Check:
    """Everything that ``check`` found. ``follows``: the known policy that the kernel follows, if any."""

    kernel: KernelFacts
    plan: Plan
    policy: str | None
    compliance: Compliance | None
    follows: str | None
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
    lines.append(f"{'uffd mode':<18}{'fault-around':<15}{'read faults':>11}{'ran':>7}{'pages':>8}  evidence")
    for verdict in check.verdicts:
        if verdict.mode != "none" and verdict.mode not in check.supported:
            why = next((c.unsupported for c in check.cases if c.mode == verdict.mode), "")
            lines.append(f"{verdict.mode:<18}{'unsupported':<15}{'-':>11}{'-':>7}{'-':>8}  {why}")
            continue
        name = "none (control)" if verdict.mode == "none" else verdict.mode
        pages = "n/a" if verdict.mapped_pages is None else str(verdict.mapped_pages)
        faults = verdict.ran + verdict.not_run
        lines.append(
            f"{name:<18}{verdict.answer:<15}{faults:>11}{verdict.ran:>7}{pages:>8}  {verdict.reason}"
        )
    if check.plan.way("pages_mapped") == "none":
        lines.append(f"\npages mapped: {check.plan.hook('pages_mapped').reason}")
    backings = dict.fromkeys(case.backing for case in check.cases)
    ran = [case for case in check.cases if case.result]
    own = sum(case.result.expected_faults for case in ran if case.result)
    if not any(case.disagreement for case in check.cases):
        lines.append(
            f"\n{len(ran)} cases over {', '.join(backings)}: each of the workload's own {own} faults was counted "
            "exactly once."
        )
    lines += ["", conclusion(check)]
    return "\n".join(lines)


def conclusion(check: Check) -> str:
    """One sentence: which policy the kernel follows, and whether it had to."""
    if check.policy is None:
        if check.follows:
            return f"This kernel follows the policy {check.follows}."
        return "No known policy fits: see the table."
    known = f" (it follows {check.follows})" if check.follows and check.follows != check.policy else ""
    return {
        "follows": f"As the policy {check.policy} says.",
        "violates": f"AGAINST the policy {check.policy}{known}.",
    }.get(str(check.compliance), f"Cannot tell whether the kernel follows the policy {check.policy}.")


def document(check: Check) -> dict[str, object]:
    """Plain data; ``docs/json.md`` describes it."""
    modes: list[dict[str, object]] = []
    for verdict in check.verdicts:
        modes.append(
            {
                "mode": verdict.mode,
                "supported": verdict.mode == "none" or verdict.mode in check.supported,
                "answer": verdict.answer,
                "reason": verdict.reason,
                "ran": verdict.ran,
                "not_run": verdict.not_run,
                "mapped_pages": verdict.mapped_pages,
            }
        )
    cases: list[dict[str, object]] = []
    for case in check.cases:
        cases.append(
            {
                "backing": case.backing,
                "mode": case.mode,
                "own_faults": case.result.expected_faults if case.result else None,
                "unsupported": case.unsupported or None,
                "disagreement": case.disagreement or None,
            }
        )
    return {
        "schema": SCHEMA,
        "kernel": {
            "release": check.kernel.release,
            "machine": check.kernel.machine,
            "fault_around_bytes": check.kernel.fault_around_bytes,
        },
        "hooks": [{"hook": h.name, "way": h.way, "symbol": h.symbol} for h in check.plan.hooks],
        "policy": check.policy,
        "compliance": check.compliance,
        "follows": check.follows,
        "modes": modes,
        "cases": cases,
        "exit_code": int(check.exit_code),
    }


def to_json(check: Check) -> str:
    """The document as indented JSON."""
    return json.dumps(document(check), indent=2) + "\n"
