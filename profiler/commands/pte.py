# SPDX-License-Identifier: GPL-2.0-only
"""Decode page table entries: what a pte says, by the numbers of this kernel or of another.

VALUE is a pte, as the kernel prints it (0x…) or in decimal. With --pid and --address the page tables of a
living process are read instead, through its pagemap, which holds less than the pte does.

Which number a special swap type has depends on the kernel's configuration. This kernel's is looked up, also
in its BTF; another's is given with --config, or by name with --layout. What cannot be told apart is shown so.

examples:
  uffd-profiler pte 0x07fffffffffbfa0a
  uffd-profiler pte --layout debian-6.1 0xf7fffffffffffc00
  uffd-profiler pte --uffd-wp-entry type1-offset0 0x0ffffffffffffe00
  uffd-profiler pte --pid 4711 --address 0x7f2b9c000000 --pages 16
"""

import argparse
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import Exit, UserError
from ..output import Output, write_stdout
from ..pte import from_kernel, named, pagemap, swaps, vma
from ..pte import kinds as k
from ..pte.bits import PAGE_SHIFT, U64
from ..pte.decode import decode
from ..pte.entry import Entry
from ..pte.layout import Layout
from ..pte.proposals import PROPOSALS
from ..reports.json import dump
from ..reports.pte import Decoded, document, text

NAME = "pte"
HELP = "decode page table entries: swap slots, migration, markers, and what else a fault can meet"

MAX_PAGES = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("values", nargs="*", type=_value, metavar="VALUE", help="a pte, 64 bits")
    parser.add_argument("--pid", type=_positive, help="read the page tables of this process")
    parser.add_argument("--address", type=_value, help="where in it; any address of the first page")
    parser.add_argument(
        "--pages",
        type=_pages,
        default=1,
        metavar="N",
        help=f"how many pages, up to {MAX_PAGES}, of which the mapped ones are shown (default: 1)",
    )
    kernel = parser.add_mutually_exclusive_group()
    kernel.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration of the kernel; with --pid, of this one"
    )
    kernel.add_argument("--layout", choices=named.NAMES, metavar="NAME", help=", ".join(named.NAMES))
    parser.add_argument(
        "--uffd-wp-entry",
        choices=PROPOSALS,
        metavar="PROPOSAL",
        help='what the kernel uses for "uffd-wp, page gone" if it is one of the proposals of 2020: '
        + ", ".join(PROPOSALS),
    )
    backing = parser.add_mutually_exclusive_group()
    backing.add_argument("--anonymous", action="store_true", help="the VALUEs are of anonymous memory")
    backing.add_argument(
        "--file-backed", action="store_true", help="the VALUEs are of files or shared memory"
    )
    parser.add_argument("--json", metavar="FILE", help="write the answer as JSON; - for standard output")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def run(args: argparse.Namespace) -> int:
    """Decode and print."""
    _check(args)
    layout = _layout(args)
    found = list(_of_process(args, layout)) if args.pid else list(_of_values(args, layout))
    if not (args.layout or (args.config and not args.pid)):
        found = _with_devices(found)
    hidden = args.pid is not None and any({"pfn", "type"} & set(one.entry.unknown) for one in found)
    if args.json is not None:
        Output(args.json, args.force).write(dump(document(layout, found, args.uffd_wp_entry)))
    if args.json != "-":
        write_stdout(text(layout, found, hidden))
    return Exit.OK


def _check(args: argparse.Namespace) -> None:
    if args.pid is None and args.address is not None:
        raise UserError("An --address is in a process; name it with --pid.")
    if args.pid is None and not args.values:
        raise UserError("There is nothing to decode; give a VALUE, or --pid and --address.")
    if args.pid is not None and args.address is None:
        raise UserError(f"Of process {args.pid} no page was named; give its --address.")
    if args.pid is not None and args.values:
        raise UserError("VALUEs and --pid were both given; decode the one or read the other.")
    if args.pid is not None and args.layout:
        raise UserError(
            f"Process {args.pid} runs on this kernel, not on {args.layout}; leave --layout out, or give "
            "this kernel's configuration with --config."
        )
    if args.pid is not None and (args.anonymous or args.file_backed):
        raise UserError(
            f"What backs the memory of process {args.pid} is read from it; leave --anonymous and "
            "--file-backed out."
        )


def _layout(args: argparse.Namespace) -> Layout:
    if args.layout:
        return named.named(args.layout)
    if args.config and args.pid is None:
        return from_kernel.from_configuration(args.config)
    return from_kernel.running(args.config)


def _of_values(args: argparse.Namespace, layout: Layout) -> Iterator[Decoded]:
    anonymous = True if args.anonymous else False if args.file_backed else None
    for value in args.values:
        yield Decoded(decode(value, layout, proposal=args.uffd_wp_entry, vma_is_anonymous=anonymous))


def _of_process(args: argparse.Namespace, layout: Layout) -> Iterator[Decoded]:
    first = args.address >> PAGE_SHIFT << PAGE_SHIFT
    try:
        vmas = vma.mappings(args.pid)
        if not vma.vma_at(args.address, vmas):
            raise UserError(
                f"Process {args.pid} maps nothing at {args.address:#x}; take an address from "
                f"/proc/{args.pid}/maps."
            )
        values = pagemap.read(args.pid, first, args.pages)
    except OSError as error:
        raise _refused(args.pid, error) from error
    if not values:
        raise UserError(
            f"The page tables of process {args.pid} do not hold {args.address:#x}, which is the kernel's, or "
            "the process has just ended; take another address.",
            Exit.CANNOT_TELL,
        )
    for page, value in enumerate(values):
        address = first + (page << PAGE_SHIFT)
        place = vma.vma_at(address, vmas)
        if place:
            entry = pagemap.decode_pagemap(
                value, layout, proposal=args.uffd_wp_entry, vma_is_anonymous=place.anonymous
            )
            yield Decoded(entry, address, place.name or "anonymous memory")


def _refused(pid: int, error: OSError) -> UserError:
    if error.errno in (errno.ENOENT, errno.ESRCH):
        return UserError(f"There is no process {pid}; give the id of one that runs.")
    if error.errno in (errno.EACCES, errno.EPERM):
        advice = "run the same command with sudo" if os.geteuid() else "it takes CAP_SYS_PTRACE"
        return UserError(f"The page tables of process {pid} may not be read by this user; {advice}.")
    return UserError(f"The page tables of process {pid} cannot be read: {error.strerror}; try another one.")


def _with_devices(found: list[Decoded]) -> list[Decoded]:
    """Name the swap areas; all entries together tell more than each alone."""
    areas = swaps.read()
    in_use = {_slot_type(one.entry) for one in found} - {None}
    types = [type_ for type_ in in_use if type_ is not None]
    return [
        one
        if (type_ := _slot_type(one.entry)) is None
        else replace(one, devices=swaps.devices(type_, areas, types))
        for one in found
    ]


def _slot_type(entry: Entry) -> int | None:
    return entry.type if entry.kind == k.SWAP_SLOT else None


def _value(text: str) -> int:
    try:
        value = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        value = -1
    if not 0 <= value <= U64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 64 bits; give one such as 0x7f or 127")
    return value


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a process")
    return int(text)


def _pages(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_PAGES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pages from 1 to {MAX_PAGES}")
    return int(text)
