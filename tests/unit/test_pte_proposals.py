# SPDX-License-Identifier: GPL-2.0-only
"""The entries that the thread of December 2020 proposed: as themselves, and as a patched kernel's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.pte import bits, encode
from profiler.pte import kinds as k
from profiler.pte.decode import decode
from profiler.pte.entry import kind_label
from profiler.pte.named import NAMES, named
from profiler.pte.proposals import PROPOSALS, Proposal

KERNEL = named("debian-6.1")
NUMBERS = KERNEL.candidates[0]
TYPE1 = 0x0FFFFFFFFFFFFE00
AS_ENTRY = 0x07FFFFFFFFFFF600
BARE = 0x4
PFN_0 = encode.with_pfn(k.MIGRATION_WRITE, 0, NUMBERS)
ALL_ONES = 29 << 59
PROT_NONE_0 = encode.mapped(0, bits.UFFD_WP, prot_none=True)
AS_THEMSELVES = {
    TYPE1: k.SWAP_HEADER,
    AS_ENTRY: k.SWAP_SLOT,
    BARE: k.SWAP_SLOT,
    PFN_0: k.MIGRATION_WRITE,
    ALL_ONES: k.MIGRATION_WRITE,
    PROT_NONE_0: k.PROT_NONE,
    0x500: k.PROT_NONE,
    encode.swap_entry(0, 0, uffd_wp=True): k.NO_ENTRY,
}
OWN: dict[Proposal, set[int]] = {
    "type1-offset0": {TYPE1},
    "type0-uffd-bit": {AS_ENTRY, BARE, encode.swap_entry(0, 0, uffd_wp=True)},
    "migration-pfn-0": {PFN_0},
    "migration-pfn-all-ones": {ALL_ONES},
    "prot-none": {PROT_NONE_0, 0x500},
}


@pytest.mark.parametrize("value", AS_THEMSELVES, ids=hex)
def test_without_the_option_they_are_what_they_are(value: int) -> None:
    assert decode(value, KERNEL).kinds == (AS_THEMSELVES[value],)


@pytest.mark.parametrize("proposal", PROPOSALS)
@pytest.mark.parametrize("value", AS_THEMSELVES, ids=hex)
def test_with_the_option_only_the_chosen_ones_are_taken(value: int, proposal: Proposal) -> None:
    entry = decode(value, KERNEL, proposal=proposal, vma_is_anonymous=False)
    if value in OWN[proposal]:
        assert (entry.kinds, entry.uffd_wp, entry.present) == ((k.UFFD_WP_SPECIAL,), True, False)
        assert kind_label(entry) == "uffd_wp_special"
    else:
        assert entry == decode(value, KERNEL)


@pytest.mark.parametrize("value", sorted(OWN["type0-uffd-bit"]), ids=hex)
def test_type_0_is_a_swap_slot_of_anonymous_memory_and_both_where_the_memory_is_not_known(value: int) -> None:
    plain = decode(value, KERNEL)
    assert decode(value, KERNEL, proposal="type0-uffd-bit", vma_is_anonymous=True) == plain
    both = decode(value, KERNEL, proposal="type0-uffd-bit")
    assert set(both.kinds) == {*plain.kinds, k.UFFD_WP_SPECIAL}


@pytest.mark.parametrize("kind", sorted(k.MIGRATION & set(NUMBERS.types)))
def test_any_type_of_migration_will_do(kind: str) -> None:
    for pfn, proposal in ((0, "migration-pfn-0"), (bits.OFFSET_MAX, "migration-pfn-all-ones")):
        number = NUMBERS.number(kind)
        assert number is not None
        value = encode.swap_entry(number, pfn)
        assert decode(value, KERNEL, proposal=proposal).kinds == (k.UFFD_WP_SPECIAL,)  # type: ignore[arg-type]


@given(
    proposal=st.sampled_from(PROPOSALS),
    name=st.sampled_from(NAMES),
    type_=st.integers(0, 19),
    offset=st.integers(5, bits.OFFSET_MAX - 1),
    uffd_wp=st.booleans(),
)
def test_a_page_in_swap_is_never_taken_for_one(
    proposal: Proposal, name: str, type_: int, offset: int, uffd_wp: bool
) -> None:
    value = encode.swap_entry(type_, offset, uffd_wp=uffd_wp)
    entry = decode(value, named(name), proposal=proposal, vma_is_anonymous=False)
    assert entry.kinds == (k.SWAP_SLOT,)


@given(
    proposal=st.sampled_from(PROPOSALS),
    pfn=st.integers(1, (1 << 34) - 1),
    flags=st.sampled_from([0, 1 << 10]),
)
def test_a_page_with_a_frame_is_never_taken_for_one(proposal: Proposal, pfn: int, flags: int) -> None:
    for value in (
        encode.mapped(pfn, flags, prot_none=True),
        encode.mapped(pfn, flags),
        encode.with_pfn(k.MIGRATION_READ, pfn, NUMBERS, uffd_wp=bool(flags)),
    ):
        assert k.UFFD_WP_SPECIAL not in decode(value, KERNEL, proposal=proposal).kinds


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_entry_0_0_and_none_are_nobodys(proposal: Proposal) -> None:
    assert decode(encode.swap_entry(0, 0), KERNEL, proposal=proposal).kinds == (k.NO_ENTRY,)
    assert decode(0, KERNEL, proposal=proposal).kinds == (k.NONE,)
