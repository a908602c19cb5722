# SPDX-License-Identifier: GPL-2.0-only
"""Two sides into one :class:`~.result.Comparison`."""

from collections.abc import Iterable, Sequence

from ..slots import FAMILIES, MODES
from ..snapshot import Labels
from . import comparable
from .estimate import Stratum, row
from .figures import FIGURES, UNWATCHED, Selection
from .labelled import LABELLED
from .loading import Cell, Side
from .naming import names
from .result import Comparison, Group, Row


def compare(before: Side, after: Side) -> Comparison:
    """Everything that can be said.

    :raises UserError: they cannot be compared.
    """
    comparable.refuse(before, after)
    shared = [cell for cell in before.cells if cell in after.cells]
    series = any(shared)
    return Comparison(
        before,
        after,
        comparable.notes(before, after),
        _series_totals(before, after, shared) if series else _modes(before, after),
        _cells(before, after, shared) if series else (),
        tuple(_family(before, after, shared, family) for family in LABELLED),
        tuple(cell for cell in before.cells if cell not in after.cells),
        tuple(cell for cell in after.cells if cell not in before.cells),
    )


def own_mode(cell: Cell) -> str | None:
    """The uffd mode that a workload was made for; ``None`` where it names none that is known."""
    mode = dict(cell).get("mode")
    return mode if isinstance(mode, str) and mode in MODES else None


def _rows(strata: Sequence[Stratum]) -> tuple[Row, ...]:
    return tuple(
        row(figure, strata)
        for figure in FIGURES
        if all(figure.applies(stratum.selection) for stratum in strata)
        and (figure.name != UNWATCHED or _any_unwatched(strata))
    )


def _any_unwatched(strata: Sequence[Stratum]) -> bool:
    samples = (sample for stratum in strata for sample in (*stratum.before, *stratum.after))
    return any(sample.unwatched_ns is not None for sample in samples)


def _stratum(before: Side, after: Side, cell: Cell, selection: Selection) -> Stratum:
    return Stratum(f"{cell} {selection.modes}", before.cells[cell], after.cells[cell], selection)


def _occurred(before: Side, after: Side, cell: Cell) -> Iterable[str]:
    """Modes in which either side had a read fault or a run of fault-around."""
    samples = (*before.cells[cell], *after.cells[cell])
    for mode in MODES:
        families = ("read_fault", "fault_around_run")
        if any(sample.total.total(family, uffd_mode=mode).count for sample in samples for family in families):
            yield mode


def _modes(before: Side, after: Side) -> tuple[Group, ...]:
    """Of two profiles: all modes together, then each."""
    groups = [Group("all uffd modes", _rows([_stratum(before, after, (), Selection())]))]
    for mode in _occurred(before, after, ()):
        selection = Selection((mode,), whole=False)
        groups.append(Group(mode, _rows([_stratum(before, after, (), selection)]), mode=mode))
    return tuple(groups)


def _own(before: Side, after: Side, cell: Cell) -> Stratum:
    mode = own_mode(cell)
    return _stratum(before, after, cell, Selection((mode,) if mode else MODES))


def _series_totals(before: Side, after: Side, shared: list[Cell]) -> tuple[Group, ...]:
    """Over the workloads, each in the mode that it was made for."""
    strata = {cell: _own(before, after, cell) for cell in shared}
    groups = [Group("all workloads", _rows(list(strata.values())))]
    for mode in MODES:
        of_mode = [strata[cell] for cell in shared if own_mode(cell) == mode]
        if of_mode:
            groups.append(Group(f"all workloads of mode {mode}", _rows(of_mode), mode=mode))
    return tuple(groups)


def _cells(before: Side, after: Side, shared: list[Cell]) -> tuple[Group, ...]:
    groups = []
    titles = names(shared)
    for cell in shared:
        own = own_mode(cell)
        groups.append(Group(titles[cell], _rows([_own(before, after, cell)]), cell, own))
        for mode in _occurred(before, after, cell) if own else ():
            if mode != own:
                selection = Selection((mode,), whole=False, divisible=False)
                rows = _rows([_stratum(before, after, cell, selection)])
                groups.append(Group(f"{titles[cell]}: mode {mode}", rows, cell, mode, own=False))
    return tuple(groups)


def _family(before: Side, after: Side, shared: list[Cell], family: str) -> Group:
    """All label sets together, then each that occurred on either side."""
    rows = []
    for labels in ((), *_label_sets(before, after, shared, family)):
        selection = Selection(labels=labels)
        strata = [_stratum(before, after, cell, selection) for cell in shared]
        named = dict(zip((axis for axis, _ in FAMILIES[family].axes), labels, strict=False))
        rows += [row(figure, strata, named) for figure in LABELLED[family]]
    return Group(family.replace("_", " "), tuple(rows), family=family)


def _label_sets(before: Side, after: Side, shared: list[Cell], family: str) -> list[Labels]:
    samples = [sample for side in (before, after) for cell in shared for sample in side.cells[cell]]
    found = {
        labels for sample in samples for labels, slot in sample.total.slots[family].items() if slot.count
    }
    return [labels for labels in FAMILIES[family].labels() if labels in found]
