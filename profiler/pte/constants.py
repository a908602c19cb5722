# SPDX-License-Identifier: GPL-2.0-only
"""A layout as constants for the BPF side, which has to classify a pte without branches for each kernel.

The kinds of the 32 swap types are a table of 4-bit indices into :data:`.kinds.LABELS`, 16 types a constant::

    kind = (type < 16 ? SWAP_KINDS_0 : SWAP_KINDS_16) >> (type & 15) * 4 & 15

``SWAP_KIND_MARKER`` in it says that the offset decides: of its bits the first that is set, in the order that
``handle_pte_marker()`` (mm/memory.c) has, of ``PTE_MARKER_SERIOUS`` (kind ``SWAP_KIND_SERIOUS``),
``PTE_MARKER_GUARD``, ``PTE_MARKER_UFFD_WP``; without any, ``other``. Offset 0 of a swap slot is ``other``. A
type that the layout leaves in doubt is ``special``; a mask of 0 says that the kernel has no such bit.
"""

from . import kinds as k
from .layout import Layout
from .proposals import PROPOSALS, Proposal

MARKER = 15
"""Value of the table for markers: no label."""

_SPECIAL = k.LABELS.index("special")


def constants(layout: Layout, proposal: Proposal | None = None) -> dict[str, int]:
    """Names and values for the compiler.

    :param proposal: becomes ``UFFD_WP_ENTRY``: 0 for none, else its place in PROPOSALS from 1.
    """
    table = [_index(kinds) for kinds in layout.types]
    return {
        "SWAP_KINDS_0": _packed(table[:16]),
        "SWAP_KINDS_16": _packed(table[16:]),
        "SWAP_KIND_MARKER": MARKER,
        "SWAP_KIND_SERIOUS": _serious(layout),
        "PTE_MARKER_UFFD_WP": _mask(layout, "uffd_wp"),
        "PTE_MARKER_SERIOUS": _mask(layout, "poison") | _mask(layout, "swapin_error"),
        "PTE_MARKER_GUARD": _mask(layout, "guard"),
        "UFFD_WP_ENTRY": PROPOSALS.index(proposal) + 1 if proposal else 0,
    } | {f"SWAP_KIND_{label.upper()}": index for index, label in enumerate(k.LABELS)}


def _index(kinds: tuple[str, ...]) -> int:
    if kinds == (k.MARKER,):
        return MARKER
    labels = {k.label_of(kind) for kind in kinds}
    return k.LABELS.index(labels.pop()) if len(labels) == 1 else _SPECIAL


def _packed(indices: list[int]) -> int:
    return sum(index << 4 * place for place, index in enumerate(indices))


def _mask(layout: Layout, name: str) -> int:
    """Bit of a marker; a kernel that does not know it never sets it, so any candidate will do."""
    return next((1 << n.markers.index(name) for n in layout.candidates if name in n.markers), 0)


def _serious(layout: Layout) -> int:
    names = {n.markers[1] for n in layout.candidates if len(n.markers) > 1}
    return k.LABELS.index(k.MARKERS[names.pop()]) if len(names) == 1 else _SPECIAL
