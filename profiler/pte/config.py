# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's configuration: where it is kept, and what of it decides the swap types."""

import gzip
import os
import re
import zlib
from pathlib import Path

from ..errors import UserError
from .layout import Facts

_LINE = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$", re.MULTILINE)
_LIMIT = 8 << 20
_OPTIONS = {
    "MIGRATION": "migration",
    "MEMORY_FAILURE": "memory_failure",
    "DEVICE_PRIVATE": "device_private",
    "MEM_SOFT_DIRTY": "mem_soft_dirty",
    "HAVE_ARCH_USERFAULTFD_WP": "have_arch_userfaultfd_wp",
}

Configuration = dict[str, str]
"""Symbol without ``CONFIG_`` → its value; ``n`` when the file says that it is not set. What the file does
not mention is off as well, but by dependencies or because the kernel does not know it."""


def places(release: str) -> tuple[Path, ...]:
    """Where the running kernel's configuration may be, best first: its own copy, then distributions'."""
    return (
        Path("/proc/config.gz"),
        Path(f"/boot/config-{release}"),
        Path(f"/lib/modules/{release}/config"),
        Path(f"/lib/modules/{release}/build/.config"),
    )


def read(path: Path) -> Configuration:
    """Read a configuration file, gzipped or not.

    :raises UserError: when it cannot be read, or is no configuration of an x86-64 kernel.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(_LIMIT)
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise UserError(
            f"The configuration {path} cannot be read: {why}; give a kernel's .config, "
            "or one of the named layouts with --layout."
        ) from error
    found = parse(data.decode(errors="replace"))
    if found.get("X86_64") != "y":
        raise UserError(
            f"The file {path} is no configuration of an x86-64 kernel: it has no CONFIG_X86_64=y; "
            "give a kernel's .config, or one of the named layouts with --layout."
        )
    return found


def parse(text: str) -> Configuration:
    """The symbols that a .config mentions."""
    return {m[1] or m[3]: m[2] if m[1] else "n" for m in _LINE.finditer(text)}


def of_running_kernel() -> tuple[Configuration, Path] | None:
    """The first configuration that can be read, and where it was; ``None`` when none can."""
    for path in places(os.uname().release):
        try:
            return read(path), path
        except UserError:
            continue
    return None


def facts(configuration: Configuration) -> Facts:
    """What it decides.

    ``PTE_MARKER_UFFD_WP`` has a prompt and depends on ``HAVE_ARCH_USERFAULTFD_WP`` (mm/Kconfig): where
    that is on, a file without a word of it is of a kernel that knows no markers. ``PTE_MARKER`` has none,
    and is written when on alone; the first selects it, as long as it exists.
    """
    options = {name: configuration.get(symbol) == "y" for symbol, name in _OPTIONS.items()}
    generation: dict[str, object] = {}
    uffd_wp = configuration.get("PTE_MARKER_UFFD_WP")
    if configuration.get("PTE_MARKER") == "y":
        options["pte_marker"] = True
        generation["marker"] = "configured"
    elif uffd_wp == "y":
        generation["marker"] = "always"
    elif uffd_wp == "n":
        options["pte_marker"] = False
        generation["exclusive"] = True
    elif options["have_arch_userfaultfd_wp"]:
        generation["marker"] = "no"
    else:
        options["pte_marker"] = False
    # Without the symbol for 5-level page tables none are used; newer kernels have no symbol.
    if configuration.get("X86_5LEVEL") == "n":
        options["five_level"] = False
    return Facts(options=options, generation=generation)
