# SPDX-License-Identifier: GPL-2.0-only
"""Compiled programs of guests, kept from one VM of a kernel to the next: emulated, compiling takes 20 s.

The guest's /run/uffd-profiler (profiler/hooks/kept.py) is a folder of the cache. Guests alone load what is
in it: what a guest writes there gets into no other kernel than theirs. Most is put there by compiler.py.
"""

from pathlib import Path

from profiler.lab.cache import cache_directory
from profiler.lab.image import Kernel


def folder(kernel: Kernel) -> Path | None:
    """The folder for guests of this kernel; ``None`` where none can be made, and each guest compiles anew."""
    name = kernel.release.strip(".") or "unknown"  # what an image says of itself could be ".."
    path = cache_directory() / "vm-compiled" / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path
