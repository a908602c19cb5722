# SPDX-License-Identifier: GPL-2.0-only
"""Decoded page table entries as text and as JSON (``schema/pte.schema.json``)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .. import __version__
from ..pte.entry import Entry, kind_label
from ..pte.layout import Layout
from .json import Document

SCHEMA = "uffd-profiler/pte/1"


@dataclass(frozen=True)
class Decoded:
    """An entry and where it is from.

    :param address: of its page, when it was read from a process.
    :param mapping: name of the VMA there.
    :param devices: swap areas that its type may be; ``None`` when it has none, or they are another kernel's.
    """

    entry: Entry
    address: int | None = None
    mapping: str | None = None
    devices: tuple[str, ...] | None = None


def text(layout: Layout, decoded: list[Decoded], hidden: bool) -> str:
    """A block for each entry, and in front the layout with what it leaves open.

    :param hidden: some of pagemap's frames were not shown to this user.
    """
    return "\n".join(_lines(layout, decoded, hidden)) + "\n"


def _lines(layout: Layout, decoded: list[Decoded], hidden: bool) -> Iterator[str]:
    yield f"layout {layout.name}, from {', '.join(layout.sources) or 'no facts at all'}"
    yield from layout.doubts
    if hidden:
        yield "Frames, swap types and offsets are hidden by the kernel: it shows them with CAP_SYS_ADMIN."
    for one in decoded:
        yield ""
        yield _head(one)
        for name, value in _fields(one):
            yield f"  {name:<12} {value}"


def _head(one: Decoded) -> str:
    value = f"{one.entry.value:#018x}"
    if one.address is None:
        return value
    return f"{one.address:#x}{f' in {one.mapping}' if one.mapping else ''}: pagemap {value}"


def _fields(one: Decoded) -> Iterator[tuple[str, str]]:
    entry = one.entry
    yield "kind", " or ".join(entry.kinds)
    if entry.kind:
        yield "meaning", entry.description
    yield from _known(entry, "present", "present", _yes)
    yield from _known(entry, "type", "type", str)
    yield from _known(entry, "offset", "offset", lambda offset: f"{offset} ({offset:#x})")
    if one.devices is not None:
        yield "device", " or ".join(one.devices) or "unknown: no swap area is in use"
    yield from _known(entry, "pfn", "pfn", hex)
    yield from _known(entry, "uffd_wp", "uffd-wp", _yes)
    yield from _known(entry, "soft_dirty", "soft-dirty", _yes)
    yield from _known(entry, "exclusive", "exclusive", _yes)
    for name in ("markers", "flags", "unexpected"):
        values = ", ".join(getattr(entry, name))
        if name not in entry.unknown and values:
            yield name, values
        elif name in entry.unknown:
            yield name, f"{values} (others unknown)" if values else "unknown"


def _known(entry: Entry, name: str, title: str, shown: Callable[[int], str]) -> Iterator[tuple[str, str]]:
    value = getattr(entry, name)
    if name in entry.unknown:
        yield title, "unknown"
    elif value is not None:
        yield title, shown(value)


def _yes(value: int) -> str:
    return "yes" if value else "no"


def document(layout: Layout, decoded: list[Decoded], proposal: str | None) -> Document:
    """The same as plain data."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "layout": {
            "name": layout.name,
            "sources": list(layout.sources),
            "candidates": len(layout.candidates),
            "types": [list(kinds) for kinds in layout.types],
            "doubts": list(layout.doubts),
        },
        "uffd_wp_entry": proposal,
        "entries": [_entry(one) for one in decoded],
    }


def _entry(one: Decoded) -> Document:
    entry = one.entry
    return {
        "source": "pte" if one.address is None else "pagemap",
        "address": None if one.address is None else f"{one.address:#x}",
        "mapping": one.mapping,
        "value": f"{entry.value:#018x}",
        "kinds": list(entry.kinds),
        "label": kind_label(entry),
        "description": entry.description,
        "present": entry.present,
        "type": entry.type,
        "offset": entry.offset,
        "devices": None if one.devices is None else list(one.devices),
        "pfn": entry.pfn,
        "uffd_wp": entry.uffd_wp,
        "soft_dirty": entry.soft_dirty,
        "exclusive": entry.exclusive,
        "markers": list(entry.markers),
        "flags": list(entry.flags),
        "unexpected": list(entry.unexpected),
        "unknown": list(entry.unknown),
    }
