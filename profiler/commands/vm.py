# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler vm``: any command on another kernel, in a VM.

Runs COMMAND as root in a VM (QEMU, no KVM needed), in the current directory and
with this environment. The host's files are there read-only; /tmp, /run and
/dev/shm can be written and are forgotten at the end. Standard input is empty.

The exit code is COMMAND's; 128 + n when signal n ended it, 127 when it is not
found, 3 when the VM cannot run it, panics or takes too long.
"""

import argparse
import math
import re
from pathlib import Path

from profiler.lab.debian import PREFIX, debian_kernel
from profiler.lab.image import Kernel, read_kernel
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
        help=f"{DEFAULT_KERNEL}, fetched once into the cache and not installed, or the path of a bzImage "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--memory", type=_memory, default="3G", help="of the VM, such as 512M or 4G (default: %(default)s)"
    )
    parser.add_argument("--cpus", type=_cpus, default=2, help="of the VM, 1 to 64 (default: %(default)s)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SEC",
        help="end the VM after this many seconds (default: %(default)g)",
    )
    parser.add_argument("guest_command", nargs="+", metavar="COMMAND", help="what to run, after --")


def run(args: argparse.Namespace) -> int:
    """Run the command; return its exit code, 128 + n when signal n ended it.

    :raises UserError: no such kernel, QEMU missing, or a guest that panicked, hung or ran out of time.
    :raises BrokenPipeError: whoever read our output has gone, as in ``vm -- … | head``.
    """
    kernel = find_kernel(args.kernel)
    return run_in_vm(kernel, args.guest_command, memory=args.memory, cpus=args.cpus, timeout=args.timeout)


def find_kernel(wanted: str) -> Kernel:
    """Return the kernel that ``--kernel`` names: ``debian:6.1``, or the path of a bzImage.

    :raises UserError: neither.
    """
    if wanted.startswith(PREFIX):
        return debian_kernel(wanted.removeprefix(PREFIX))
    return read_kernel(Path(wanted))


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[MG]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give one such as 512M or 3G")
    return text


def _cpus(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of CPUs from 1 to 64")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
