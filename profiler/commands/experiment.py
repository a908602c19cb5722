# SPDX-License-Identifier: GPL-2.0-only
"""Measure two kernels, or two settings of one, by turns, and compare them.

A side is a kernel as `vm --kernel` takes it, or `here`, the running one; with `,fault_around_bytes=N` behind
it that setting is made for the measurement. Kernels run in VMs, without KVM: time in them misleads, so their
clocks count instructions unless --time is given, and every figure says what it is.

examples:
  uffd-profiler experiment lab:mainline lab:seed --html patch.html
  uffd-profiler experiment debian:6.1 path/to/bzImage --fail-if 'read_faults_per_mib@none>+0%'
  uffd-profiler experiment here here,fault_around_bytes=4096
"""

import argparse
import sys
import tempfile

from ..comparison.loading import load
from ..experiment import side, turns
from ..output import Output
from ..reports import json
from . import compare
from .measure import add_grid_arguments, positive
from .vm import find_kernel

NAME = "experiment"
HELP = "measure two kernels or two settings by turns, and compare them"

BLOCKS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("a", metavar="A", help="the side that is compared with")
    parser.add_argument("b", metavar="B", help="the side that is compared")
    parser.add_argument(
        "--turns", type=positive, default=BLOCKS, metavar="N", help="of each side (default: %(default)s)"
    )
    add_grid_arguments(parser)
    parser.add_argument("--time", action="store_true", help="in VMs, measure time and not instructions")
    parser.add_argument(
        "--timeout", type=positive, default=1800, metavar="SEC", help="of one turn (default: %(default)s)"
    )
    parser.add_argument("--a-json", metavar="FILE", help="write the runs of A, for compare")
    parser.add_argument("--b-json", metavar="FILE", help="write the runs of B, for compare")
    compare.add_report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, compare, report; the exit code is that of ``compare``.

    :raises UserError: a side is no kernel, a turn failed, or the sides cannot be compared.
    """
    parsed = (side.parse(args.a), side.parse(args.b))
    with compare.report_outputs(args) as outputs, tempfile.TemporaryDirectory() as folder:
        paths = [args.a_json or f"{folder}/a.json", args.b_json or f"{folder}/b.json"]
        files = [Output(path, args.force) for path in paths]
        try:
            machines = _machines(parsed)
            options = ("--pages", str(args.pages), "--repeat", str(args.repeat), "--best-way", args.best_way)
            wanted = turns.Turns(args.turns, options, not args.time, args.timeout)
            for found, file in zip(turns.take(machines, wanted, _tell), files, strict=True):
                file.write(json.dump(dict(found.to_json())))
        except BaseException:
            for file in files:
                file.discard()
            raise
        # Read back as `compare` would: whoever compares the two files again gets the same answer.
        return compare.report(load(paths[0]), load(paths[1]), args, outputs)


def _machines(sides: tuple[side.Side, side.Side]) -> tuple[side.Machine, side.Machine]:
    """Fetched or built ahead of the first turn."""
    kernels = {each.kernel: None if each.is_here else find_kernel(each.kernel) for each in sides}
    return side.Machine(sides[0], kernels[sides[0].kernel]), side.Machine(sides[1], kernels[sides[1].kernel])


def _tell(what: str) -> None:
    print(f"uffd-profiler experiment: {what}", file=sys.stderr, flush=True)
