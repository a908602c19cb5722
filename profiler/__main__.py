# SPDX-License-Identifier: GPL-2.0-only
"""Entry point: finds the command, and turns what a user can cause into one sentence."""

import argparse
import os
import sys
from types import ModuleType
from typing import NoReturn

from . import __version__
from .commands import check, doctor, profile, vm, workload
from .errors import Exit, UserError

COMMANDS: tuple[ModuleType, ...] = (doctor, profile, check, workload, vm)


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one sentence, with the way to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"{self.prog}: {message}; see `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="uffd-profiler",
        description="Where the time of a page fault goes, around userfaultfd; and whether the kernel "
        "skips fault-around there.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME,
            help=module.HELP,
            description=module.__doc__.split("\n", 1)[1].strip() if module.__doc__ else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        args = parser().parse_args(argv)
        return int(args.run(args))
    except UserError as error:
        print(f"uffd-profiler: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away: nothing is left to say, not even at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.OUTPUT


if __name__ == "__main__":
    sys.exit(main())
