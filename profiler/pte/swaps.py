# SPDX-License-Identifier: GPL-2.0-only
"""Which device a swap type is, as far as /proc/swaps tells.

The file lists the areas in the order of their types, but leaves out types that are not in use, and does not
print the number (``swap_start()`` and ``swap_next()``, mm/swapfile.c). swapoff leaves a hole, which the next
swapon fills (``alloc_swap_info()``). So the area on line i, counted from 0, has type i or a higher one.
"""

import re
from collections.abc import Collection
from pathlib import Path

SWAPS = Path("/proc/swaps")


def read(path: Path = SWAPS) -> tuple[str, ...]:
    """The areas in use, in the order of their types; none when the file is absent (no CONFIG_SWAP).

    White space in a name is printed as three octal digits (``seq_file_path()``).
    """
    try:
        lines = path.read_text(errors="backslashreplace").splitlines()[1:]
    except OSError:
        return ()
    return tuple(_unescaped(line.split()[0]) for line in lines if line.strip())


def _unescaped(name: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), name)


def devices(type_: int, areas: tuple[str, ...], in_use: Collection[int] = ()) -> tuple[str, ...]:
    """The areas that may have this type, one when that is certain.

    Certain are type 0 (only the first line can be), the only area there is, and, when the types of as many
    swap slots are known as there are areas, all of them.

    :param areas: of :func:`read`.
    :param in_use: types of swap slots that were seen at the same time.
    """
    known = set(in_use) | {type_}
    below = sum(other < type_ for other in known)
    above = len(known) - 1 - below
    return areas[below : min(type_ + 1, len(areas) - above)]
