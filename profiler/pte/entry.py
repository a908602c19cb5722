# SPDX-License-Identifier: GPL-2.0-only
"""One decoded page table entry, and how several readings of it become one."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from . import kinds as k

_VALUES = ("present", "type", "offset", "pfn", "soft_dirty", "exclusive", "uffd_wp")


@dataclass(frozen=True)
class Entry:
    """What a value says. ``None`` does not apply, unless ``unknown`` names the field: then it cannot be told.

    :param value: as read, 64 bits.
    :param kinds: what it is; several when they cannot be told apart.
    :param present: ``pte_present()``, so true of prot-none.
    :param type: swap type of a non-present entry.
    :param offset: swap offset, not inverted.
    :param pfn: frame of a present page, or in an entry that holds one.
    :param uffd_wp: userfaultfd write-protects it, by the pte's bit or a marker's.
    :param flags: further bits by name.
    :param markers: bits of a pte marker by name.
    :param unexpected: bits that no kernel of this layout sets there: of the pte, or of the offset.
    """

    value: int
    kinds: tuple[str, ...]
    present: bool | None = False
    type: int | None = None
    offset: int | None = None
    pfn: int | None = None
    soft_dirty: bool | None = None
    exclusive: bool | None = None
    uffd_wp: bool | None = None
    flags: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def kind(self) -> str | None:
        """The kind; ``None`` when there are several."""
        return self.kinds[0] if len(self.kinds) == 1 else None

    @property
    def description(self) -> str:
        """One line for people."""
        if self.kind:
            return k.MEANING[self.kind]
        return "cannot be told apart: " + ", ".join(self.kinds)


def merge(readings: Iterable[Entry]) -> Entry:
    """What all readings of one value agree on; where they differ, the field is unknown.

    Kinds of any reading are kept; flags, marker bits and unexpected bits only of all: what one possible
    kernel sets itself is nothing that no kernel sets.

    :raises ValueError: of no reading.
    """
    found = tuple(dict.fromkeys(readings))
    if not found:
        raise ValueError("no reading to merge")
    first = found[0]
    if len(found) == 1:
        return first
    unknown = {name for entry in found for name in entry.unknown}
    unknown |= {
        name for name in _VALUES if any(getattr(entry, name) != getattr(first, name) for entry in found)
    }
    changes: dict[str, object] = {name: None for name in _VALUES if name in unknown}
    for name in ("flags", "markers", "unexpected"):
        common = tuple(v for v in getattr(first, name) if all(v in getattr(entry, name) for entry in found))
        if any(set(getattr(entry, name)) != set(common) for entry in found):
            unknown.add(name)
        changes[name] = common
    return replace(
        first,
        kinds=tuple(dict.fromkeys(kind for entry in found for kind in entry.kinds)),
        unknown=tuple(field.name for field in fields(Entry) if field.name in unknown),
        **changes,  # type: ignore[arg-type]
    )


def kind_label(entry: Entry) -> str:
    """The coarse kind for metrics: of :data:`~.kinds.LABELS`, or ``none`` or ``present``."""
    labels = {k.label_of(kind) for kind in entry.kinds}
    if entry.kinds == (k.MARKER,):
        return _of_marker(entry)
    return labels.pop() if len(labels) == 1 else "special"


def _of_marker(entry: Entry) -> str:
    """Of several bits the kernel obeys one (``handle_pte_marker()``, mm/memory.c): poison, guard, uffd-wp."""
    for name in ("poison", "swapin_error", "guard", "uffd_wp"):
        if name in entry.markers:
            return k.MARKERS[name]
    return "other"
