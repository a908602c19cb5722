# SPDX-License-Identifier: GPL-2.0-only
"""Compare two profiles, or two series of runs, of the same workload: what changed, with 95% intervals.

A is "before" and B "after": both from `profile --json`, or both a series of runs. What cannot be compared
is refused: other schemas, workloads, clocks, or ways to the hooks.

examples:
  uffd-profiler compare before.json after.json
  uffd-profiler compare a.json b.json --html c.html --fail-if 'read_faults_per_mib@minor>+10%'

--fail-if FIGURE[@MODE] OP VALUE
  OP     >, >=, <, <=
  VALUE  +10% a change in percent, +100 a change, 0 a plain value of B
  The command fails only if the whole interval lies beyond VALUE; where VALUE lies within it,
  "cannot tell" is printed.
  figures of workloads and modes: read_faults, read_faults_per_mib, fault_around_runs, pages_mapped,
    empty_runs, ran_share, skipped_share, ns_per_fault, ns_per_page, read_path_ns, wait_ns,
    userfaults_begun, mapped_behind_monitor, unwatched_ns, gup_read_faults, ns_per_gup_fault
  figures by labels (@kind=swap_slot,uffd_wp=no,result=minor): userfaults_begun, userfaults_ended,
    ns_per_userfault, swap_faults, ns_per_swap_fault, shmem_swapins, ns_per_shmem_swapin, swap_reads,
    pages_per_swap_read, resolve_ioctls, ns_per_resolve

Exit code: 0 compared, 1 a --fail-if was met, 2 wrong usage or no such document, 3 they cannot be compared
(with --fail-if-unsure: or a condition cannot be told), 5 an output could not be written.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from ..comparison.compare import compare
from ..comparison.conditions import Condition, Judgement, judge, parse
from ..comparison.loading import Side, load
from ..errors import Exit, UserError
from ..output import Output, write_stdout
from ..reports.compared import text
from ..reports.compared.report import Report

NAME = "compare"
HELP = "what changed between two profiles or two series of runs of the same workload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("before", metavar="A", help="a profile, or a series of runs: before")
    parser.add_argument("after", metavar="B", help="another of the same kind: after")
    add_report_arguments(parser)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """What is made of a comparison; ``experiment`` has these options as well."""
    parser.add_argument(
        "--fail-if",
        type=_condition,
        action="append",
        default=[],
        metavar="EXPR",
        help="see above (repeatable)",
    )
    parser.add_argument(
        "--fail-if-unsure", action="store_true", help="exit with 3 if a --fail-if cannot be told"
    )
    parser.add_argument(
        "--all-modes", action="store_true", help="print of each workload also the modes it was not made for"
    )
    parser.add_argument("--json", metavar="FILE", help="write the comparison as JSON; - for standard output")
    parser.add_argument("--html", metavar="FILE", help="write a self-contained page; - for standard output")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def _condition(text: str) -> Condition:
    try:
        return parse(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def run(args: argparse.Namespace) -> int:
    """Compare and report."""
    with report_outputs(args) as outputs:
        return report(load(args.before), load(args.after), args, outputs)


@contextmanager
def report_outputs(args: argparse.Namespace) -> Iterator[dict[str, Output]]:
    """The files asked for, opened ahead of all work; where the block fails they are as they were.

    :raises UserError: two reports for one place, or a file that cannot be written.
    """
    if args.json == "-" and args.html == "-":
        raise UserError(
            "Only one of --json and --html can go to standard output; give the other a file name."
        )
    if args.json is not None and args.json == args.html:
        raise UserError(f"--json and --html cannot both be written to {args.json}; give another name.")
    outputs: dict[str, Output] = {}
    try:
        for kind in ("json", "html"):
            if getattr(args, kind) is not None:
                outputs[kind] = Output(getattr(args, kind), args.force)
        yield outputs
    except BaseException:
        for output in outputs.values():
            output.discard()
        raise


def report(before: Side, after: Side, args: argparse.Namespace, outputs: dict[str, Output]) -> int:
    """Compare the two, write and print what was asked for; return the exit code.

    :raises UserError: they cannot be compared.
    """
    found = _report(before, after, args)
    for kind, output in outputs.items():
        output.write(import_module(f"profiler.reports.compared.{kind}").render(found))
    if not any(output.path == "-" for output in outputs.values()):
        write_stdout(text.render(found, args.all_modes))
    _tell(found.judgements)
    return found.exit_code


def _report(before: Side, after: Side, args: argparse.Namespace) -> Report:
    comparison = compare(before, after)
    judgements = tuple(judge(comparison, condition) for condition in args.fail_if)
    outcomes = {judgement.outcome for judgement in judgements}
    code = Exit.OK
    if "failed" in outcomes:
        code = Exit.AGAINST_POLICY
    elif "cannot tell" in outcomes and args.fail_if_unsure:
        code = Exit.CANNOT_TELL
    return Report(comparison, judgements, code)


def _tell(judgements: tuple[Judgement, ...]) -> None:
    """What did not pass, on standard error: standard output may be a document."""
    for judgement in judgements:
        expression = judgement.condition.text.strip()
        if judgement.outcome == "failed":
            print(f"uffd-profiler: --fail-if '{expression}' is met: {judgement.why}.", file=sys.stderr)
        elif judgement.outcome == "cannot tell":
            print(
                f"uffd-profiler: cannot tell whether '{expression}' is met: {judgement.why}; "
                "more runs make the interval smaller.",
                file=sys.stderr,
            )
