# SPDX-License-Identifier: GPL-2.0-only
"""``MAX_SWAPFILES`` as the running kernel was compiled, from its BTF.

It is a macro, and so in no record; but ``swap_info`` (mm/swapfile.c) is an array of that many pointers to
``struct swap_info_struct``, and the type of that array is in BTF, if not the variable.
"""

import re
from collections.abc import Iterable, Iterator

from ..kernel.btf import Btf

# include/uapi/linux/btf.h
_KIND_PTR, _KIND_STRUCT = 2, 4
_FEWEST, _MOST = 20, 32
"""Other arrays of such pointers are shorter: one a page order (``struct percpu_swap_cluster``)."""
_ARRAYS = re.compile(
    # struct btf_type: no name, BTF_KIND_ARRAY (3), no size; struct btf_array: type, index type, length.
    rb"\x03\0\0\0\0(?=(.{4}).{4}([%c-%c])\0\0\0)" % (_FEWEST, _MOST),
    re.DOTALL,
)
_BEFORE = bytes(7)
"""What stands in such a record before its kind; a search for zeros would stop at every one of them."""


class SwapBtf(Btf):
    """BTF with two look-ups more.

    :raises OSError: as :class:`Btf`.
    """

    def max_swapfiles(self) -> int | None:
        """``MAX_SWAPFILES``; ``None`` when no array, or several, could be the one."""
        try:
            wanted = self._find("swap_info_struct", _KIND_STRUCT)
        except KeyError:
            return None
        return the_one(length for element, length in self._arrays() if self._points_to(element, wanted))

    def _arrays(self) -> Iterator[tuple[int, int]]:
        """Type of the elements and length, of each array of a fitting length.

        libbpf has no look-up of what has no name, and to walk all hundred thousand records takes a quarter
        of a second: they are searched as bytes.
        """
        raw = self.raw()
        for found in _ARRAYS.finditer(raw):
            if raw.endswith(_BEFORE, 0, found.start()):
                yield int.from_bytes(found[1], "little"), found[2][0]

    def _points_to(self, type_id: int, wanted: int) -> bool:
        try:
            record, _ = self._type(type_id)
        except KeyError:  # what looked like an array was none
            return False
        return record.kind == _KIND_PTR and int(record.size_or_type) == wanted

    def has_anon_exclusive(self) -> bool | None:
        """Whether ``enum pageflags`` (include/linux/page-flags.h) has ``PG_anon_exclusive``.

        The change that brought it brought ``SWP_MIGRATION_READ_EXCLUSIVE``; ``None`` without the enum.
        """
        try:
            self.enum_value("pageflags", "PG_locked")
        except KeyError:
            return None
        try:
            self.enum_value("pageflags", "PG_anon_exclusive")
        except KeyError:
            return False
        return True


def the_one(lengths: Iterable[int]) -> int | None:
    """The only length that ``MAX_SWAPFILES`` can be, or ``None``."""
    found = {length for length in lengths if _FEWEST <= length <= _MOST}
    return found.pop() if len(found) == 1 else None
