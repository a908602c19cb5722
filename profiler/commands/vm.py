# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler vm``: any command on another kernel, in a VM.

Runs COMMAND as root in a VM (QEMU, no KVM needed), in the current directory and
with this environment. The host's files are there read-only, and so is this
directory; /tmp, /run and /dev/shm can be written and are forgotten at the end,
except programs that the profiler compiled: the next VM of the same kernel has
them. What is not there yet is compiled outside the VM, in a second instead of 20,
if this runs as root and without --instructions. Standard input is empty.

The exit code is COMMAND's; 128 + n when signal n ended it, 127 when it is not
found, 3 when the VM cannot run it, panics, hangs or takes too long.

KERNEL is one of
  debian:VERSION  Debian's own, fetched as a package
  lab:mainline    built from Debian's 6.1 source: gates fault-around as mainline does
  lab:seed        the same with the patch of December 2020 in place of mainline's gate
  lab:ungated     the same without any gate
  PATH            a bzImage, vmlinuz or vmlinux
All but the last are made once, kept in the cache, and never installed.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab import built, debian
from profiler.lab.compiler import MOST_CPUS
from profiler.lab.image import Kernel, read_kernel
from profiler.lab.kernel_config import configuration
from profiler.lab.requirements import lost, require_bootable
from profiler.lab.vm import run_in_vm

NAME = "vm"
HELP = "run a command in a VM on another kernel, return its output and exit code"

DEFAULT_KERNEL = "debian:6.1"
DEFAULT_TIMEOUT = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options and the command."""
    parser.epilog = f"example: uffd-profiler vm --kernel {DEFAULT_KERNEL} -- uffd-profiler check"
    parser.add_argument(
        "--kernel",
        default=DEFAULT_KERNEL,
        metavar="KERNEL",
        help="see above (default: %(default)s)",
    )
    parser.add_argument(
        "--memory", type=_memory, default="3G", help="of the VM, such as 512M or 4G (default: %(default)s)"
    )
    parser.add_argument(
        "--cpus", type=_cpus, default=2, help=f"of the VM, 1 to {MOST_CPUS} (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SEC",
        help="end the VM after this many seconds (default: %(default)g)",
    )
    parser.add_argument(
        "--repeatable",
        action="store_true",
        help="if the guest hangs, start it and COMMAND once more; what it has written by then stands twice",
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="let the guest's clocks count its instructions, one a nanosecond; on one CPU",
    )
    parser.add_argument(
        "--append",
        action="append",
        type=_word,
        default=[],
        metavar="WORD",
        help="a further word of the guest kernel's command line, such as numa=fake=2 (repeatable)",
    )
    work = parser.add_mutually_exclusive_group(required=True)
    work.add_argument(
        "--fetch",
        nargs="+",
        metavar="KERNEL",
        help="only see that these are in the cache: fetch or build them",
    )
    work.add_argument("guest_command", nargs="*", default=[], metavar="COMMAND", help="what to run, after --")


def run(args: argparse.Namespace) -> int:
    """Run the command; return its exit code, 128 + n when signal n ended it.

    :raises UserError: no such kernel, QEMU missing, or a guest that panicked, hung or ran out of time.
    :raises BrokenPipeError: whoever read our output has gone, as in ``vm -- … | head``.
    """
    if args.fetch:
        fetch(args.fetch)
        return Exit.OK
    kernel = find_kernel(args.kernel)
    return run_in_vm(
        kernel,
        args.guest_command,
        memory=args.memory,
        cpus=args.cpus,
        timeout=args.timeout,
        instructions=args.instructions,
        append=args.append,
        again=lambda why: print(f"uffd-profiler: {why}\nIt is started once more.", file=sys.stderr),
        repeatable=args.repeatable,
    )


def fetch(wanted: Sequence[str]) -> None:
    """Put every kernel of ``wanted`` into the cache; one that cannot be had does not stop the others.

    :raises UserError: one or several could not be had, with the reason of each.
    """
    refused: list[UserError] = []
    for kernel in wanted:
        try:
            find_kernel(kernel)
        except UserError as error:
            refused.append(error)
    if refused:
        usage = all(error.code == Exit.USAGE for error in refused)
        code = Exit.USAGE if usage else Exit.CANNOT_TELL
        raise UserError("\n".join(map(str, refused)), code)


def find_kernel(wanted: str) -> Kernel:
    """Return the kernel that ``--kernel`` names. What one of the user's own lacks is said on stderr.

    :raises UserError: there is none such, it cannot be fetched or built, or it lacks what the VM needs.
    """
    if wanted.startswith(debian.PREFIX):
        return debian.debian_kernel(wanted.removeprefix(debian.PREFIX))
    if wanted.startswith(built.PREFIX):
        return built.built_kernel(wanted.removeprefix(built.PREFIX))
    kernel = read_kernel(Path(wanted))
    config = configuration(kernel)
    if config is not None:
        require_bootable(kernel, config)
        for loss in lost(config):
            print(f"uffd-profiler vm: kernel {wanted}: {loss}", file=sys.stderr)
    return kernel


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[MG]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give one such as 512M or 3G")
    return text


def _cpus(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_CPUS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of CPUs from 1 to {MOST_CPUS}")
    return int(text)


def _word(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,256}", text) or text.startswith("-"):
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not a word of a kernel's command line")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
