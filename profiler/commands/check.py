# SPDX-License-Identifier: GPL-2.0-only
"""Run the built-in workload through every mode and backing, and judge the kernel.

Each case is also a test of the profiler itself: the workload counts its own faults, and a single one that the
probes saw otherwise makes the answer "cannot tell".

Exit code: 0 as the policy says (without a policy: every mode was judged), 1 against it, 2 wrong usage,
3 cannot tell.

policies:
  seed       every registered region skips fault-around (the patch of December 2020)
  mainline   regions registered for WP or MINOR skip, MISSING alone does not
  ungated    none skips
  missing=ran,wp=skipped,…   written out, mode by mode
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from ..errors import Exit, UserError
from ..hooks.catalogue import WAYS
from ..hooks.planner import Plan
from ..hooks.processes import FOLLOWED
from ..hooks.request import Request
from ..hooks.session import Session, drop_privileges
from ..output import Output, write_stdout
from ..reports import checked
from ..slots import MODES, REASONS
from ..snapshot import Snapshot
from ..verdict import Verdict, compare, judge, policy
from ..workload.result import Result
from ..workload.run import Backing, Options, UnavailableError
from ..workload.runner import Runner

NAME = "check"
HELP = "judge whether this kernel skips fault-around in userfaultfd regions, mode by mode"

PAGES = 509
"""Pages per case: a prime, 32 windows of fault-around."""

HUGE_PAGES = 3
"""Of 2 MiB: as many as vm.nr_hugepages may spare."""

BACKINGS: tuple[Backing, ...] = ("memfd", "memfd-private", "tmpfs")
"""Memory of the page cache: it can fault around, and be registered."""

OTHER_BACKINGS: tuple[Backing, ...] = ("anon", "hugetlb")
"""Has no ->map_pages: nothing to judge, but its userfaults are counted like all others."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--policy", type=_policy_name, help="what the kernel has to do: see below")
    parser.add_argument("--json", metavar="FILE", help="write the answer as JSON; - for standard output")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument(
        "--best-way", choices=WAYS, default=WAYS[0], help="take no better way to any hook than this one"
    )


def _policy_name(text: str) -> str:
    try:
        policy(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def run(args: argparse.Namespace) -> int:
    """Run all cases and print the table."""
    output = Output(args.json, args.force) if args.json is not None else None
    try:
        with closing(Runner()) as runner, _session(args, runner) as session:
            drop_privileges()
            cases = list(_cases(session, runner))
            total = session.snapshot()
    except BaseException:
        if output:
            output.discard()
        raise
    verdicts = judge(total, session.plan, session.kernel)
    disagreement = next((case.disagreement for case in cases if case.disagreement), None)
    if disagreement:
        verdicts = tuple(replace(v, answer="not exercised", reason=disagreement) for v in verdicts)
    supported = {c.mode for c in cases if c.result and c.mode != "none" and c.backing in BACKINGS}
    wanted = policy(args.policy) if args.policy else None
    compliance = compare(verdicts, wanted, supported) if wanted else None
    code = _exit_code(compliance, verdicts, supported)
    answer = checked.Check(session.kernel, session.plan, args.policy, compliance, verdicts,
                           frozenset(supported), tuple(cases), total, code)  # fmt: skip
    if output:
        output.write(checked.to_json(answer))
    if not output or output.path != "-":
        write_stdout(checked.to_text(answer) + "\n")
    return code


def _session(args: argparse.Namespace, runner: Runner) -> Session:
    return Session(Request({runner.pid: FOLLOWED}, args.best_way, resolve=False))


def _exit_code(compliance: str | None, verdicts: tuple[Verdict, ...], supported: set[str]) -> int:
    if compliance is None:
        told = all(v.answer != "not exercised" for v in verdicts if v.mode in supported)
        return Exit.OK if told and supported else Exit.CANNOT_TELL
    return {"follows": Exit.OK, "violates": Exit.AGAINST_POLICY}.get(compliance, Exit.CANNOT_TELL)


def _cases(session: Session, runner: Runner) -> Iterator["checked.Case"]:
    before = session.snapshot()
    for backing in (*BACKINGS, *OTHER_BACKINGS):
        for mode in MODES:
            if sys.stderr.isatty():
                print(f"\r\033[K{backing} {mode}", end="", file=sys.stderr, flush=True)
            try:
                result: Result | None = runner.run(_options(backing, mode))
                why = ""
            except UnavailableError as error:
                result, why = None, str(error)
            after = session.snapshot()
            yield checked.Case(
                backing, mode, result, why, _disagreement(session.plan, backing, mode, result, after - before)
            )
            before = after
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _options(backing: Backing, mode: str) -> Options:
    return Options(backing=backing, mode=mode, pages=HUGE_PAGES if backing == "hugetlb" else PAGES)


def _disagreement(plan: Plan, backing: str, mode: str, result: Result | None, seen: Snapshot) -> str:
    """How the probes' figures differ from the workload's own; empty if they do not, or were not taken."""
    if result is None:
        return ""
    pairs: list[tuple[str, int, int]] = []
    if plan.way("read_fault") != "none":
        faults = seen.total("read_fault", uffd_mode=mode, backing="shmem").count
        own = result.expected_faults if backing in BACKINGS else 0
        pairs.append(("read faults of the page cache", faults, own))
    if plan.way("userfault") != "none":
        for reason in REASONS:
            begun = seen.total("userfault_begun", reason=reason).count
            pairs.append((f"{reason} userfaults", begun, getattr(result.expected_userfaults, reason)))
    for what, probes, own in pairs:
        if probes != own:
            return f"{backing} {mode}: the probes saw {probes} {what}, the workload took {own}"
    return ""
