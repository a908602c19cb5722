# SPDX-License-Identifier: GPL-2.0-only
"""What a snapshot holds of a family, in the order in which the family is declared."""

from ..slots import FAMILIES
from ..snapshot import Labels, Slot, Snapshot


def occurred(snapshot: Snapshot, family: str) -> list[tuple[Labels, Slot]]:
    """Label sets with at least one event."""
    found = snapshot.slots.get(family, {})
    declared = FAMILIES[family].labels()
    return [(labels, found[labels]) for labels in declared if labels in found and found[labels].count]
