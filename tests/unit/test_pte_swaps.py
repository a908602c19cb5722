# SPDX-License-Identifier: GPL-2.0-only
"""Which device a swap type is: certain, or the ones it may be."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.pte import swaps


def test_names_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "swaps"
    path.write_text(
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/zram0                              partition\t8388604\t\t0\t\t100\n"
        "/swap\\040file                           file\t\t1024\t\t0\t\t-2\n"
    )
    assert swaps.read(path) == ("/dev/zram0", "/swap file")
    assert swaps.read(tmp_path / "absent") == ()


@pytest.mark.parametrize(
    ("type_", "areas", "in_use", "possible"),
    [
        (0, ("a",), (), ("a",)),
        (7, ("a",), (), ("a",)),  # six holes before it
        (0, ("a", "b"), (), ("a",)),
        (1, ("a", "b"), (), ("a", "b")),  # b, or a if the first was swapped off before b came
        (1, ("a", "b"), (0,), ("b",)),
        (1, ("a", "b"), (3,), ("a",)),
        (1, ("a", "b", "c"), (), ("a", "b")),
        (0, (), (), ()),
    ],
)
def test_certain_or_not(
    type_: int, areas: tuple[str, ...], in_use: tuple[int, ...], possible: tuple[str, ...]
) -> None:
    assert swaps.devices(type_, areas, in_use) == possible


@given(used=st.sets(st.integers(0, 28), min_size=1, max_size=5), data=st.data())
def test_the_true_device_is_always_among_them(used: set[int], data: st.DataObject) -> None:
    """The kernel prints the used types in ascending order."""
    types = sorted(used)
    areas = tuple(f"device{type_}" for type_ in types)
    seen = data.draw(st.sets(st.sampled_from(types)))
    for type_ in types:
        found = swaps.devices(type_, areas, seen)
        assert f"device{type_}" in found
        assert set(found) <= set(swaps.devices(type_, areas))
    if seen == used:
        assert all(len(swaps.devices(type_, areas, seen)) == 1 for type_ in types)
