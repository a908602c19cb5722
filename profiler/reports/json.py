# SPDX-License-Identifier: GPL-2.0-only
"""The report as JSON; every field is described in docs/json.md, its shape in ``schema/``.

A figure that is not available is ``null``, or its label set absent, and ``unavailable`` says why.
"""

import json
from itertools import accumulate
from typing import Any, cast

from .. import __version__
from ..hooks.planner import Plan
from ..profile import KernelFacts, Profile
from ..slots import FAMILIES, MISSED
from ..snapshot import Slot, Snapshot, boundaries
from ..verdict import Compliance, Followed, Verdict, followed
from . import availability
from .occurred import occurred
from .sections.health import hook_of
from .sections.intervals import began
from .sections.userfault import waiting_now
from .sections.verdict import verdicts_of

SCHEMA = "uffd-profiler/profile/2"
CHECK_SCHEMA = "uffd-profiler/check/2"

COUNTED_ONLY = ("userfault_begun", "userfault_wait_begun", "missed")
"""Families that hold a bare count."""
WITH_WAIT = ("page_fault", "read_fault")
"""Families of faults: their own time, and apart from it the wait for userspace."""

Document = dict[str, Any]


def render(profile: Profile) -> str:
    """The whole document, ended by a newline; in ASCII, so that it survives any locale."""
    return dump(document(profile))


def dump(document: Document) -> str:
    """Indented by 2; a list of buckets stays on one line."""
    return _dump(document, "") + "\n"


def document(profile: Profile) -> Document:
    """The profile as plain data."""
    verdicts = verdicts_of(profile)
    policy = followed(verdicts)
    total, plan, command = profile.total, profile.plan, profile.command
    return {
        "schema": SCHEMA,
        "version": __version__,
        "started_at": profile.started_at,
        "duration_ns": total.duration_ns,
        "attach_ns": profile.attach_ns,
        "scope": {
            "description": encodable(profile.scope),
            "pids": list(profile.pids),
            "command": command
            and {"argv": [encodable(a) for a in command.argv], "exit_code": command.exit_code},
        },
        "kernel": kernel_document(profile.kernel),
        "clock": profile.kernel.clock,
        "plan": _plan(plan),
        "verdicts": [verdict_document(verdict, plan) for verdict in verdicts],
        "policy": policy_document(policy),
        "families": _families(total, plan, whole=True),
        "missed": _missed(total, plan),
        "waiting": _waiting(total, plan),
        "recent": _recent(total, plan, began(profile)),
        "intervals": [interval_document(part, plan, began(profile)) for part in profile.intervals],
        "unavailable": availability.unavailable(plan),
    }


def check_document(
    verdicts: tuple[Verdict, ...],
    kernel: KernelFacts,
    plan: Plan,
    modes: set[str],
    policy: str | None,
    compliance: Compliance | None,
    cases: list[Document],
    exit_code: int,
) -> Document:
    """The result of ``check`` as plain data.

    :param modes: the modes that this kernel supports.
    :param policy: name of the policy asked for; ``None`` when none was, and then no compliance either.
    :param cases: each run of the workload, with its own count.
    """
    return {
        "schema": CHECK_SCHEMA,
        "version": __version__,
        "kernel": kernel_document(kernel),
        "plan": _plan(plan),
        "policy": policy,
        "compliance": compliance,
        "followed": followed(verdicts).name,
        "modes": [
            verdict_document(v, plan) | {"supported": v.mode in modes or v.mode == "none"} for v in verdicts
        ],
        "cases": cases,
        "unavailable": availability.unavailable(plan),
        "exit_code": exit_code,
    }


def encodable(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold: an undecodable byte becomes ``\\udcNN`` in words."""
    return text.encode("utf-8", "backslashreplace").decode()


def kernel_document(kernel: KernelFacts) -> Document:
    """What was measured."""
    return {
        "release": kernel.release,
        "machine": kernel.machine,
        "fault_around_bytes": kernel.fault_around_bytes,
        "minor_flag": kernel.minor_flag,
        "pte_doubts": [encodable(doubt) for doubt in kernel.pte_doubts],
        "uffd_wp_entry": kernel.uffd_wp_entry,
    }


def _plan(plan: Plan) -> list[Document]:
    return cast(list[Document], json.loads(json.dumps(plan.to_json())))  # tuples become lists


def policy_document(policy: Followed) -> Document:
    """Which known policies the verdicts fit."""
    return {"followed": policy.name, "fits": list(policy.fits), "modes": list(policy.modes)}


def verdict_document(verdict: Verdict, plan: Plan) -> Document:
    """One mode's."""
    known = availability.family(plan, "read_fault") is None
    return {
        "mode": verdict.mode,
        "answer": verdict.answer,
        "reason": verdict.reason,
        "ran": verdict.ran if known else None,
        "not_run": verdict.not_run if known else None,
        "mapped_pages": verdict.mapped_pages,
    }


def _families(snapshot: Snapshot, plan: Plan, whole: bool) -> Document:
    """Family → its label sets that occurred; ``None`` for a family that is not available."""
    return {
        name: None if availability.family(plan, name) else _family(snapshot, plan, name, whole)
        for name in FAMILIES
        if name != "missed"
    }


def _family(snapshot: Snapshot, plan: Plan, name: str, whole: bool) -> list[Document]:
    axes = [axis for axis, _ in FAMILIES[name].axes]
    known = availability.figure(plan, name, "sum") is None
    return [
        dict(zip(axes, labels, strict=True)) | _slot(name, slot, known, whole)
        for labels, slot in occurred(snapshot, name)
    ]


def _slot(name: str, slot: Slot, known: bool, whole: bool) -> Document:
    """``known``: more than the count is. ``whole``: not an interval, of which no maximum is kept."""
    if name in COUNTED_ONLY:
        return {"count": slot.count}
    unit = "pages" if FAMILIES[name].pages else "ns"
    found: Document = {"count": slot.count, f"sum_{unit}": slot.sum if known else None}
    if name in WITH_WAIT:
        found["wait_ns"] = slot.wait
    found[f"max_{unit}"] = slot.max if known and whole else None
    found["buckets"] = cumulative(name, slot) if known else None
    return found


def cumulative(name: str, slot: Slot) -> list[Document]:
    """Buckets as Prometheus has them: events at or below each boundary, the last is ``+Inf``."""
    unit = "le_pages" if FAMILIES[name].pages else "le_ns"
    sums = accumulate(slot.buckets)
    found = [{unit: le, "count": events} for le, events in zip(boundaries(name), sums, strict=True)]
    return [*found, {unit: "+Inf", "count": slot.count}]


def _missed(snapshot: Snapshot, plan: Plan) -> Document:
    return {
        "causes": {cause: snapshot.total("missed", cause=cause).count for cause in MISSED},
        "recursion": [
            {"program": program, "hook": hook_of(plan, program), "count": count}
            for program, count in snapshot.recursion_misses.items()
        ],
    }


def _waiting(snapshot: Snapshot, plan: Plan) -> Document | None:
    if availability.family(plan, "userfault"):
        return None
    threads = [
        {
            "pid": waiter.tgid,
            "tid": waiter.tid,
            "reason": waiter.reason,
            "backing": waiter.backing,
            "address": f"{waiter.address:#x}",
            "age_ns": max(0, snapshot.monotonic_ns - waiter.start_ns),
        }
        for waiter in snapshot.waiting
    ]
    return {"count": waiting_now(snapshot), "threads": threads}


def _recent(snapshot: Snapshot, plan: Plan, began_ns: int) -> list[Document] | None:
    if availability.family(plan, "userfault"):
        return None
    limits = (*boundaries("userfault"), "+Inf")
    return [
        {
            "reason": last.reason,
            "backing": last.backing,
            "le_ns": limits[last.bucket],
            "wait_ns": last.ns,
            "ended_ns": last.end_ns - began_ns,
            "pid": last.tgid,
            "tid": last.tid,
        }
        for last in snapshot.recent
    ]


def interval_document(interval: Snapshot, plan: Plan, began_ns: int) -> Document:
    """A part of a profile.

    :param began_ns: CLOCK_MONOTONIC when the profile began.
    """
    return {
        "until_ns": interval.monotonic_ns - began_ns,
        "duration_ns": interval.duration_ns,
        "families": _families(interval, plan, whole=False),
        "missed": _missed(interval, plan),
        "waiting": _waiting(interval, plan),
    }


def _dump(value: Any, indent: str) -> str:
    """Objects over several lines; lists too, unless they hold words or buckets."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        parts = [
            f"{json.dumps(key)}: {json.dumps(item) if key == 'buckets' else _dump(item, inner)}"
            for key, item in value.items()
        ]
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        parts = [_dump(item, inner) for item in value]
    else:
        return json.dumps(value)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"
