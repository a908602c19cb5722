# SPDX-License-Identifier: GPL-2.0-only
"""Run the built-in workload's grid on this kernel several times, and write what was measured.

Registered for each mode and unregistered, with a full, half and empty page cache: first without probes, then
with them. Of two such files, from two kernels or two settings, `compare` makes the comparison; `experiment`
does all of it.

example:
  uffd-profiler measure --json before.json     # then boot the patched kernel
  uffd-profiler measure --json after.json
  uffd-profiler compare before.json after.json
"""

import argparse

from ..experiment.grid import PAGES, cells
from ..experiment.series import Wanted, measure
from ..hooks.catalogue import WAYS
from ..kernel.fault_around_setting import fault_around_bytes
from ..output import Output
from ..reports import json

NAME = "measure"
HELP = "run the workload's grid on this kernel several times, for compare"

REPETITIONS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--json", metavar="FILE", default="-", help="where to write the runs (default: standard output)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    add_grid_arguments(parser)
    parser.add_argument("--label", metavar="NAME", help="name of this kernel in the comparison")
    parser.add_argument(
        "--block",
        type=natural,
        default=0,
        metavar="N",
        help="number of this turn: runs of two series with the same number are compared as pairs",
    )
    parser.add_argument(
        "--fault-around-bytes", type=positive, metavar="N", help="set it, measure, and put the old value back"
    )


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say what is run; ``experiment`` has them as well."""
    parser.add_argument(
        "--pages", type=positive, default=PAGES, metavar="N", help="pages per run (default: %(default)s)"
    )
    parser.add_argument(
        "--repeat", type=positive, default=REPETITIONS, metavar="N",
        help="runs of each cell (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--best-way", choices=WAYS, default=WAYS[0], help="take no better way to any hook than this one"
    )


def natural(text: str) -> int:
    """A number from 0 up."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def positive(text: str) -> int:
    """A number from 1 up."""
    if natural(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Measure and write.

    :raises UserError: as :func:`profiler.experiment.series.measure`; the setting is refused; the file exists.
    """
    output = Output(args.json, args.force)
    wanted = Wanted(cells(args.pages), args.repeat, args.block, args.best_way, args.label)
    try:
        with fault_around_bytes(args.fault_around_bytes):
            output.write(json.dump(dict(measure(wanted).to_json())))
    except BaseException:
        output.discard()
        raise
    return 0
