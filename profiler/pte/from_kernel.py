# SPDX-License-Identifier: GPL-2.0-only
"""The layout of a kernel from what it says of itself; what it does not say stays open.

Of the running kernel: ``MAX_SWAPFILES`` from BTF, functions from /proc/kallsyms, the configuration, and
whether the processor has 5-level page tables in use. Each fact strikes out what contradicts it; what is
left are the candidates of the layout.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..errors import Exit, UserError
from ..kernel.symbols import KALLSYMS, Symbols
from . import config
from .generations import Numbers
from .layout import Facts, Layout, candidates
from .swap_areas import SwapBtf

CPUINFO = Path("/proc/cpuinfo")

Part = tuple[str, Facts]
"""Facts, and where they are from."""

FUNCTIONS = {
    "memory_failure",
    "migration_entry_wait",
    "max_swapfile_size",
    "arch_max_swapfile_size",
    "pte_mkwrite",
    "guard_install_pte_entry",
    "mwriteprotect_range",
    "make_device_exclusive_range",
    "make_device_exclusive",
}
"""All are called from another file or through a pointer, so none is ever inlined away."""


def running(configuration: Path | None = None) -> Layout:
    """The layout of the running kernel.

    :param configuration: its configuration, when it is not in one of the usual places.
    :raises UserError: when that file cannot be read, or on another architecture.
    """
    if os.uname().machine != "x86_64":
        raise UserError(
            f"The page table entries of {os.uname().machine} are not known here, only those of x86-64; "
            "name a kernel with --layout or --config.",
            Exit.CANNOT_TELL,
        )
    parts: list[Part] = []
    compiled = _of_btf()
    if compiled:
        parts.append(("BTF", compiled))
    parts.append((str(CPUINFO), _of_processor()))
    parts.append((str(KALLSYMS), _of_functions(_functions())))
    found = (config.read(configuration), configuration) if configuration else config.of_running_kernel()
    if found:
        parts.append((str(found[1]), config.facts(found[0])))
    layout = derive(os.uname().release, parts)
    doubts = ["The kernel's BTF cannot be read."] * (compiled is None)
    doubts += ["The kernel's configuration cannot be read."] * (found is None)
    return replace(layout, doubts=(*doubts, *layout.doubts))


def for_probes(symbols: Symbols) -> Layout:
    """As :func:`running`, but quick: BTF, all of which has to be read, is asked only in doubt.

    :param symbols: of this kernel, with :data:`FUNCTIONS` among those looked for.
    """
    parts: list[Part] = [(str(CPUINFO), _of_processor())]
    if symbols.count("handle_mm_fault"):
        has = {name: symbols.count(name) > 0 for name in FUNCTIONS}
        parts.append((str(KALLSYMS), _of_functions(has)))
    found = config.of_running_kernel()
    if found:
        parts.append((str(found[1]), config.facts(found[0])))
    layout = derive(os.uname().release, parts)
    return running() if layout.doubts else layout


def from_configuration(path: Path) -> Layout:
    """The layout of a kernel of which only the configuration is there.

    :raises UserError: when it cannot be read.
    """
    return derive(path.name, [(str(path), config.facts(config.read(path)))])


def derive(name: str, parts: Sequence[Part]) -> Layout:
    """Put facts together.

    :param parts: surest first. When they contradict each other or every rule, the kernel is of a kind not
        known here, or a configuration is another's: the least sure are left out until something fits;
        without any, everything does.
    """
    found: tuple[Numbers, ...] = ()
    kept = len(parts) + 1
    while not found:
        kept -= 1
        joined = _joined([facts for _, facts in parts[:kept]])
        found = candidates(joined) if joined else ()
    doubts = [f"{source} contradicts what else is known, and is left aside." for source, _ in parts[kept:]]
    layout = Layout(name, found, tuple(source for source, _ in parts[:kept]))
    mixed = sorted({" or ".join(sorted(kinds)) for kinds in layout.types if len(kinds) > 1})
    doubts += [f"Not told apart: {'; '.join(mixed)}."] * bool(mixed)
    return replace(layout, doubts=tuple(doubts))


def _joined(parts: Sequence[Facts]) -> Facts | None:
    """One set of facts; ``None`` when two of them contradict each other."""
    areas = {part.areas for part in parts if part.areas is not None}
    options = {name: value for part in parts for name, value in part.options.items()}
    generation = {name: value for part in parts for name, value in part.generation.items()}
    agree = len(areas) < 2 and all(
        part.options.items() <= options.items() and part.generation.items() <= generation.items()
        for part in parts
    )
    return Facts(areas.pop() if areas else None, options, generation) if agree else None


@cache
def _of_btf() -> Facts | None:
    try:
        btf = SwapBtf()
    except OSError:
        return None
    exclusive = btf.has_anon_exclusive()
    return Facts(btf.max_swapfiles(), {}, {} if exclusive is None else {"exclusive": exclusive})


def _functions() -> Mapping[str, bool] | None:
    """Function → whether it exists; ``None`` when the symbols cannot be read, or hold none of the image."""
    try:
        symbols = Symbols(FUNCTIONS | {"handle_mm_fault"})
    except OSError:
        return None
    if not symbols.count("handle_mm_fault"):
        return None
    return {name: symbols.count(name) > 0 for name in FUNCTIONS}


def _of_functions(has: Mapping[str, bool] | None) -> Facts:
    """What follows from functions that exist, and that do not.

    - ``memory_failure`` (mm/memory-failure.c), ``migration_entry_wait`` (mm/migrate.c): their files are
      built with MEMORY_FAILURE and MIGRATION alone.
    - ``arch_max_swapfile_size`` was ``max_swapfile_size`` (arch/x86/mm/init.c) until migration entries got
      accessed and dirty, for which the kernel remembers its result.
    - ``pte_mkwrite`` (arch/x86/mm/pgtable.c) is a function since shadow stacks, and with them saved-dirty.
    - ``guard_install_pte_entry`` (mm/madvise.c) is the walker that sets guard markers.
    - ``make_device_exclusive_range``, later ``make_device_exclusive`` (mm/rmap.c), is built with
      DEVICE_PRIVATE; the second came with the single device-exclusive type.
    - ``mwriteprotect_range`` (mm/userfaultfd.c) is built with USERFAULTFD, and x86-64 then has its bit.
    """
    if has is None:
        return Facts()
    options = {"memory_failure": has["memory_failure"], "migration": has["migration_entry_wait"]}
    generation: dict[str, object] = {
        "saved_dirty": has["pte_mkwrite"],
        "guard": has["guard_install_pte_entry"],
    }
    if has["arch_max_swapfile_size"] != has["max_swapfile_size"]:
        generation["young_dirty"] = has["arch_max_swapfile_size"]
    if has["mwriteprotect_range"]:
        options["have_arch_userfaultfd_wp"] = True
    if has["make_device_exclusive"] or has["make_device_exclusive_range"]:
        options["device_private"] = True
        generation["one_device_exclusive"] = has["make_device_exclusive"]
    elif has["arch_max_swapfile_size"]:
        options["device_private"] = False
    return Facts(options=options, generation=generation)


def _of_processor() -> Facts:
    """``la57`` stands in /proc/cpuinfo while 5-level page tables are in use (``no5lvl`` takes it out)."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return Facts()
    flags = next((line.split() for line in lines if line.startswith("flags")), None)
    return Facts() if flags is None else Facts(options={"five_level": "la57" in flags})
