# SPDX-License-Identifier: GPL-2.0-only
"""Entry point: finds the command, and turns what a user can cause into one sentence."""

import argparse
import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

from . import __version__
from .errors import Exit, UserError
from .output import forget_stdout, write_stdout

COMMANDS = (
    "doctor",
    "profile",
    "check",
    "serve",
    "measure",
    "compare",
    "experiment",
    "pte",
    "workload",
    "vm",
)
"""Modules of ``profiler.commands``, in the order of the help."""


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one sentence, with the way to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"{self.prog}: {message}; see `{self.prog} --help`.\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Of argparse: where --help and --version go, which may be a full disk."""
        if message and file is sys.stdout:
            write_stdout(message)
        else:
            super()._print_message(message, file)


def parser(argv: list[str]) -> argparse.ArgumentParser:
    """The command line; of the commands, only the one that is called is imported, if it is known."""
    top = _Parser(
        prog="uffd-profiler",
        description="Where the time of a page fault goes, around userfaultfd; and whether the kernel "
        "skips fault-around there.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in argv[:1] if argv[:1] and argv[0] in COMMANDS else COMMANDS:
        module = import_module(f"profiler.commands.{name}")
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
    _open_standard_descriptors()
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        return _run(argv)
    except UserError as error:
        print(f"uffd-profiler: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output went away: nothing is left to say, not even at interpreter exit.
        forget_stdout()
        return Exit.OUTPUT
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)


def _run(argv: list[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = parser(argv).parse_args(argv)
        code = int(args.run(args))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else Exit.OK
    if sys.stdout is not None:
        write_stdout("")
    return code


def _terminated(number: int, frame: object) -> NoReturn:
    """SIGTERM while nothing is measured yet: files opened for output are discarded on the way out."""
    raise SystemExit(128 + number)


def _open_standard_descriptors() -> None:
    """Where one of 0, 1 and 2 is closed, no file of ours shall take its number."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(fd, True)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
