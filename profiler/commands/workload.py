# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler workload``: become the C program that is the ground truth.

Its arguments, its help, its output and its exit codes are its own.
"""

import argparse
import os
import sys

from profiler.errors import UserError
from profiler.workload import build

NAME = "workload"
HELP = "take page faults and count them: the ground truth the profiler is tested against"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take everything that follows as it is, ``--help`` too."""
    # With no character that begins an option, argparse has none to answer or refuse: not even --help.
    parser.prefix_chars = "\0"
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Replace this process by the program; returns only by an error."""
    program = build.path()
    arguments: list[str] = args.arguments
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(program, [str(program), *arguments])  # noqa: S606
    except OSError as error:
        raise UserError(f"cannot run {program}: {error.strerror}; run `make install`") from error
