# SPDX-License-Identifier: GPL-2.0-only
"""The layout of the counter slots is complete, and the C side is told the same."""

from math import prod

import pytest

from profiler import slots
from profiler.slots import FAMILIES, SLOTS, Family, definitions


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_a_family_has_one_slot_for_each_label_set(family: Family) -> None:
    keys = list(family.labels())
    assert len(keys) == len(set(keys)) == family.size == prod(len(values) for _, values in family.axes)
    assert all(len(key) == len(family.axes) for key in keys)


def test_families_cover_the_slots_without_gap_or_overlap() -> None:
    taken = [slot for family in FAMILIES.values() for slot in range(family.base, family.base + family.size)]
    assert taken == list(range(SLOTS))


def test_the_c_side_gets_every_base_and_no_other() -> None:
    bases = {name: value for name, value in definitions().items() if name.startswith("SLOT_")}
    assert bases == {f"SLOT_{family.name.upper()}": family.base for family in FAMILIES.values()}


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("BACKING", slots.BACKINGS),
        ("ORIGIN", slots.ORIGINS),
        ("OUTCOME", slots.OUTCOMES),
        ("REASON", slots.REASONS),
        ("RESULT", slots.RESULTS),
        ("OP", slots.RESOLVE_OPS),
        ("RESOLVED", slots.RESOLVE_RESULTS),
        ("MISSED", slots.MISSED),
        ("SWAP_KIND", slots.SWAP_KINDS),
        ("SHMEM_SWAPIN", slots.SHMEM_SWAPIN_RESULTS),
        ("SWAP_READ_BY", slots.SWAP_READERS),
    ],
)
def test_an_enumeration_is_its_tuple(prefix: str, values: tuple[str, ...]) -> None:
    found = {name: value for name, value in definitions().items() if name.startswith(f"{prefix}_")}
    assert found == {f"{prefix}_{value.upper()}": index for index, value in enumerate(values)}


def test_results_of_a_swap_entry_are_an_index() -> None:
    """Beside the other enumerations that begin with ``SWAP_``."""
    assert [definitions()[f"SWAP_{name.upper()}"] for name in slots.SWAP_RESULTS] == list(
        range(len(slots.SWAP_RESULTS))
    )


def test_lengths_of_the_axes() -> None:
    defined = definitions()
    assert defined["SLOTS"] == SLOTS
    assert defined["MODES"] == len(slots.MODES) == 8
    assert defined["BACKINGS"] == len(slots.BACKINGS)
    assert defined["READ_BACKINGS"] == len(slots.READ_BACKINGS)
    assert defined["OUTCOMES"] == len(slots.OUTCOMES)
    assert defined["RESULTS"] == len(slots.RESULTS)
    assert defined["UFFD_WP_STATES"] == len(slots.UFFD_WP)
    assert defined["SWAP_RESULTS"] == len(slots.SWAP_RESULTS)
    assert defined["RESOLVE_OPS"] == len(slots.RESOLVE_OPS)
    assert defined["RESOLVE_RESULTS"] == len(slots.RESOLVE_RESULTS)
    assert defined["TIME_UNIT"] == slots.TIME_UNIT_NS


def test_uffd_wp_is_an_index_by_itself() -> None:
    """``bpf/pte.h`` gives 0 or 1."""
    assert slots.UFFD_WP == ("no", "yes")


def test_slow_is_above_a_boundary_of_about_a_millisecond() -> None:
    assert slots.time_boundaries_ns()[slots.SLOW_BUCKET - 1] == 1_024_000
    assert slots.SLOW_BUCKET + slots.SLOW_BUCKETS - 1 == slots.BUCKETS
    assert definitions()["RECENT_ROWS"] == len(slots.REASONS) * len(slots.BACKINGS) * slots.SLOW_BUCKETS


def test_a_cause_beside_the_fault_is_a_cause() -> None:
    assert set(slots.BESIDE_THE_FAULT) < set(slots.MISSED)


def test_a_slot_is_what_the_c_structure_is() -> None:
    # bpf/slots.h: count, sum, wait, max, bucket[BUCKETS]
    assert slots.WORDS == 4 + slots.BUCKETS == 4 + definitions()["BUCKETS"]


def test_backings_that_fault_around_come_first() -> None:
    """``bpf/read_fault.c`` tells them by ``backing < READ_BACKINGS``."""
    assert slots.BACKINGS[: len(slots.READ_BACKINGS)] == slots.READ_BACKINGS


@pytest.mark.parametrize("mode", range(8))
def test_a_modes_name_says_its_bits(mode: int) -> None:
    bits = {"missing": slots.MODE_MISSING, "wp": slots.MODE_WP, "minor": slots.MODE_MINOR}
    names = [] if slots.MODES[mode] == "none" else slots.MODES[mode].split("+")
    assert sum(bits[name] for name in names) == mode


@pytest.mark.parametrize(
    ("family", "labels", "index"),
    [
        # As the expressions in bpf/*.c compute them.
        ("page_fault", ("gup",), 2),
        ("read_fault", ("kernel", "wp", "file", "skipped"), ((1 * 8 + 2) * 2 + 1) * 6 + 3),
        ("fault_around_run", ("missing+minor", "file"), 5 * 2 + 1),
        ("userfault", ("minor", "anon", "sigbus"), (2 * 4 + 2) * 4 + 1),
        ("userfault_wait", ("wp", "hugetlb"), 1 * 4 + 3),
        ("swap_fault", ("marker_uffd_wp", "no", "poisoned"), (4 * 2 + 0) * 5 + 3),
        ("swap_fault", ("swap_slot", "yes", "error"), 1 * 5 + 4),
        ("shmem_swapin", ("major",), 1),
        ("swap_read", ("shmem",), 1),
        ("resolve", ("move", "eexist"), 6 * 4 + 2),
    ],
)
def test_a_slots_index_is_what_the_c_side_computes(family: str, labels: tuple[str, ...], index: int) -> None:
    assert list(FAMILIES[family].labels()).index(labels) == index


def test_no_two_constants_differ_only_by_being_missed() -> None:
    assert all(name.isupper() for name in definitions())
    assert all(value >= 0 for value in definitions().values())
