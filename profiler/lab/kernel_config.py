# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of a kernel: the values of its ``CONFIG_`` options."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from profiler.lab.image import Kernel, kernel_inside
from profiler.lab.packed import unpack_gzip

Configuration = dict[str, str]
"""Option without ``CONFIG_`` → value as the file has it: ``y``, ``m``, ``n``, a number, or a quoted text."""

_LINE = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$", re.MULTILINE)
_IKCONFIG = b"IKCFG_ST"  # kernel/configs.c: what follows is gzip
_BUILT_AT = ("arch", "x86", "boot")


def parse_config(text: str) -> Configuration:
    """Read a ``.config``, or a fragment of one; an option that is not set is ``n``."""
    return {
        name or unset: value.strip() if name else "n"
        for name, value, unset in (match.groups() for match in _LINE.finditer(text))
    }


def differing(wanted: Configuration, config: Configuration) -> list[str]:
    """Return the options of ``wanted`` that ``config`` does not have so, as ``CONFIG_NAME=wanted``."""
    return [f"CONFIG_{name}={value}" for name, value in wanted.items() if config.get(name, "n") != value]


def configuration(kernel: Kernel) -> Configuration | None:
    """Return how ``kernel`` was configured; None when that is not known.

    Looked for in a file that belongs to the image, then in the image itself (``CONFIG_IKCONFIG``), if it can
    be unpacked here.
    """
    for file in _files(kernel):
        with suppress(OSError):
            if found := parse_config(file.read_text(errors="replace")):
                return found
    return parse_config(_in_image(kernel.image)) or None


def _files(kernel: Kernel) -> Iterator[Path]:
    """Yield where distributions and the kernel's own build leave the configuration of an image."""
    if kernel.release:
        yield kernel.image.parent / f"config-{kernel.release}"
    if kernel.modules is not None:
        yield kernel.modules / "config"
    folder = kernel.image.parent
    tree = folder.parents[2] if folder.parts[-3:] == _BUILT_AT else folder
    config = tree / ".config"
    with suppress(OSError):
        if config.stat().st_mtime <= kernel.image.stat().st_mtime:  # else it is that of the next build
            yield config


def _in_image(image: Path) -> str:
    """Return the text, ``""`` if there is none."""
    _, _, packed = (kernel_inside(image) or b"").partition(_IKCONFIG)
    return (unpack_gzip(packed) or b"").decode(errors="replace")
