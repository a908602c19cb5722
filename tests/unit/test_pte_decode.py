# SPDX-License-Identifier: GPL-2.0-only
"""What ptes say: values that kernels really had, and whatever else 64 bits can hold."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from profiler.pte import bits, encode, generations
from profiler.pte import kinds as k
from profiler.pte.decode import decode, decode_pte
from profiler.pte.entry import Entry, kind_label, merge
from profiler.pte.generations import Numbers
from profiler.pte.layout import Facts, Layout, candidates
from profiler.pte.named import NAMES, named
from profiler.pte.proposals import PROPOSALS, Proposal

U64 = st.integers(0, bits.U64) | st.builds(
    lambda type_, offset, low: encode.swap_entry(type_, offset) | low,
    st.integers(0, 31),
    st.integers(0, 8) | st.integers(bits.OFFSET_MAX - 8, bits.OFFSET_MAX),
    st.integers(0, 511),
)
"""All of u64, evenly and where the special entries are."""
UNKNOWN = Layout("unknown", candidates(Facts()))
LAYOUTS = [*(named(name) for name in NAMES), UNKNOWN]
layouts = st.sampled_from(LAYOUTS)
certain = st.sampled_from([numbers for name in NAMES for numbers in named(name).candidates])


@pytest.mark.parametrize(
    ("name", "value", "kind", "fields"),
    [
        # Ptes of faults that were traced in guests, with what /proc/PID/pagemap said of the same pages.
        ("debian-6.1", 0x07FFFFFFFFFBFA0A, k.SWAP_SLOT, {"type": 0, "offset": 514, "soft_dirty": True}),
        ("debian-6.1", 0x07FFFFFFFFFBFA0A, k.SWAP_SLOT, {"exclusive": True, "uffd_wp": False}),
        ("debian-6.1", 0x07FFFFFFFF7E0008, k.SWAP_SLOT, {"exclusive": True, "soft_dirty": False}),
        ("debian-6.1", 0x07FFFFFFFEFE000C, k.SWAP_SLOT, {"exclusive": True, "uffd_wp": True}),
        ("debian-6.1", 0xF7FFFFFFFFFFFC00, k.MARKER_UFFD_WP, {"type": 30, "offset": 1, "uffd_wp": True}),
        ("debian-6.12", 0xFFFFFFFFFFFFFC00, k.MARKER_UFFD_WP, {"type": 31, "offset": 1, "uffd_wp": True}),
        ("debian-7.2", 0xFFFFFFFFFFFFFC00, k.MARKER_UFFD_WP, {"type": 31, "offset": 1, "uffd_wp": True}),
        ("debian-6.12", 0xFFFFFFFFFFFFFA00, k.MARKER_POISON, {"offset": 2, "uffd_wp": False}),
        ("debian-7.2", 0xFFFFFFFFFFFFF600, k.MARKER_GUARD, {"offset": 4, "uffd_wp": False}),
        ("debian-6.1", 0xD7FFFFFFDF000000, k.HWPOISON, {"type": 26, "pfn": 0x107FFF}),
        # What such a value is on another kernel: the numbers move with the configuration.
        ("debian-6.1", 0xFFFFFFFFFFFFFC00, k.SWAPIN_ERROR, {"type": 31}),
        ("debian-5.10", 0xF7FFFFFFFFFFFC00, k.MIGRATION_READ, {"type": 30, "pfn": 1}),
        ("debian-5.10-cloud", 0xEFFFFFFFFFFFFC00, k.SWAP_SLOT, {"type": 29}),
        ("debian-6.12", 0xFFFFFFFFFFFFF600, k.MARKER, {"markers": (), "unexpected": ("offset bit 2",)}),
        # Nothing, and what stands for nothing.
        ("debian-6.1", 0x0, k.NONE, {"present": False, "type": None}),
        ("debian-6.1", 0x60, k.NONE, {"unexpected": ("bit 5", "bit 6")}),
        ("debian-6.1", 0x07FFFFFFFFFFFE00, k.NO_ENTRY, {"type": 0, "offset": 0}),
        ("debian-6.1", 0x0FFFFFFFFFFFFE00, k.SWAP_HEADER, {"type": 1, "offset": 0}),
        # Mapped.
        ("debian-6.1", 0x8000000123456867, k.PRESENT, {"pfn": 0x123456, "soft_dirty": True}),
        ("debian-6.1", 0x8000000123456465, k.PRESENT, {"uffd_wp": True, "soft_dirty": False}),
        ("debian-6.1", 0x000FFFFEDCBA9120, k.PROT_NONE, {"pfn": 0x123456, "present": True}),
        ("debian-6.12", 0x0400000123456025, k.PRESENT, {"flags": ("user", "accessed", "saved_dirty")}),
        ("debian-5.10", 0x0400000123456025, k.PRESENT, {"flags": ("user", "accessed", "devmap")}),
        ("debian-6.1", 0x3000000123456025, k.PRESENT, {"flags": ("user", "accessed", "protection_key_6")}),
    ],
)
def test_values_that_kernels_had(name: str, value: int, kind: str, fields: dict[str, object]) -> None:
    entry = decode(value, named(name))
    assert entry.kinds == (kind,)
    assert entry.unknown == ()
    assert {field: getattr(entry, field) for field in fields} == fields


def test_the_exclusive_bit_is_no_bit_of_a_kernel_without_it() -> None:
    entry = decode(0x07FFFFFFFF7E0008, named("debian-5.10"))
    assert (entry.exclusive, entry.unexpected) == (None, ("bit 3",))


@pytest.mark.parametrize("option", ["mem_soft_dirty", "have_arch_userfaultfd_wp"])
def test_a_bit_that_the_configuration_leaves_out_is_unexpected(option: str) -> None:
    numbers = generations.numbers(generations.GENERATIONS[-1], generations.Options(**{option: False}))
    field, low, high = {
        "mem_soft_dirty": ("soft_dirty", 1, 11),
        "have_arch_userfaultfd_wp": ("uffd_wp", 2, 10),
    }[option]
    for value, bit in ((encode.swap_entry(3, 5) | 1 << low, low), (encode.mapped(7, 1 << high), high)):
        entry = decode_pte(value, numbers)
        assert (getattr(entry, field), entry.unexpected) == (None, (f"bit {bit}",))


@given(
    value=U64,
    layout=layouts,
    proposal=st.sampled_from([None, *PROPOSALS]),
    anonymous=st.none() | st.booleans(),
)
def test_any_value_decodes(
    value: int, layout: Layout, proposal: Proposal | None, anonymous: bool | None
) -> None:
    entry = decode(value, layout, proposal=proposal, vma_is_anonymous=anonymous)
    assert entry.value == value
    assert set(entry.kinds) <= set(k.MEANING)
    assert entry.description
    assert kind_label(entry) in (*k.LABELS, "none", "present")


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_what_has_not_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        decode(value, UNKNOWN)


@given(
    numbers=certain,
    type_=st.integers(0, 31),
    offset=st.integers(0, bits.OFFSET_MAX),
    soft_dirty=st.booleans(),
    uffd_wp=st.booleans(),
    exclusive=st.booleans(),
)
@example(named("debian-6.1").candidates[0], 0, bits.OFFSET_MAX, False, False, True)
def test_a_swap_entry_comes_back_as_it_was_made(
    numbers: Numbers, type_: int, offset: int, soft_dirty: bool, uffd_wp: bool, exclusive: bool
) -> None:
    exclusive &= numbers.exclusive
    made = encode.swap_entry(type_, offset, soft_dirty=soft_dirty, uffd_wp=uffd_wp, exclusive=exclusive)
    assume(made)  # the last offset of type 0, inverted, is the empty pte: swap areas end long before
    entry = decode_pte(made, numbers)
    assert (entry.type, entry.offset, entry.soft_dirty) == (type_, offset, soft_dirty)
    assert entry.exclusive == (exclusive if numbers.exclusive else None)
    marker = numbers.types[type_] == k.MARKER
    assert entry.uffd_wp == (uffd_wp or (marker and bool(offset & 1)))
    assert ("bit 2" in entry.unexpected) == (marker and uffd_wp)
    assert ("bit 3" in entry.unexpected) == (marker and exclusive)
    if type_ < numbers.max_swapfiles and offset:
        assert entry.kind == k.SWAP_SLOT


@given(
    numbers=certain,
    data=st.data(),
    uffd_wp=st.booleans(),
    young=st.booleans(),
    dirty=st.booleans(),
)
def test_an_entry_with_a_frame_comes_back_as_it_was_made(
    numbers: Numbers, data: st.DataObject, uffd_wp: bool, young: bool, dirty: bool
) -> None:
    kind = data.draw(st.sampled_from(sorted(k.WITH_PFN & set(numbers.types))))
    pfn = data.draw(st.integers(0, (1 << numbers.pfn_bits) - 1))
    young &= kind in k.MIGRATION and numbers.young_dirty
    dirty &= kind in k.MIGRATION and numbers.young_dirty
    made = encode.with_pfn(kind, pfn, numbers, young=young, dirty=dirty, uffd_wp=uffd_wp)
    entry = decode_pte(made, numbers)
    assert (entry.kind, entry.pfn, entry.uffd_wp, entry.unexpected) == (kind, pfn, uffd_wp, ())
    assert entry.flags == ("young",) * young + ("dirty",) * dirty


@given(numbers=certain, data=st.data())
def test_a_marker_comes_back_as_it_was_made(numbers: Numbers, data: st.DataObject) -> None:
    assume(numbers.markers)
    names = tuple(name for name in numbers.markers if data.draw(st.booleans()))
    entry = decode_pte(encode.marker(names, numbers), numbers)
    assert (entry.markers, entry.unexpected) == (names, ())
    assert entry.kind == (k.MARKERS[names[0]] if len(names) == 1 else k.MARKER)
    assert entry.uffd_wp == ("uffd_wp" in names)


@given(numbers=certain, pfn=st.integers(0, bits.PFN_MAX), prot_none=st.booleans(), uffd_wp=st.booleans())
def test_a_mapped_page_comes_back_as_it_was_made(
    numbers: Numbers, pfn: int, prot_none: bool, uffd_wp: bool
) -> None:
    entry = decode_pte(encode.mapped(pfn, bits.UFFD_WP * uffd_wp, prot_none=prot_none), numbers)
    assert (entry.kind, entry.pfn) == (k.PROT_NONE if prot_none else k.PRESENT, pfn)
    assert (entry.present, entry.uffd_wp, entry.flags, entry.unexpected) == (True, uffd_wp, (), ())


@given(numbers=certain, value=U64, bit=st.integers(0, 63))
@example(numbers=named("debian-6.1").candidates[0], value=0xF7FFFFFFFFFFFC00, bit=2)
def test_no_bit_is_dropped_in_silence(numbers: Numbers, value: int, bit: int) -> None:
    """Two values that differ are two entries that differ, in more than the value."""
    one, other = decode_pte(value, numbers), decode_pte(value ^ 1 << bit, numbers)
    assume(not one.present or bit not in (0, 8))  # present and prot-none at once: bit 8 is global
    assert _said(one) != _said(other)


def _said(entry: Entry) -> tuple[object, ...]:
    return tuple(getattr(entry, name) for name in Entry.__dataclass_fields__ if name != "value")


@given(entries=st.lists(U64, min_size=1, max_size=4), layout=layouts)
def test_the_order_of_readings_does_not_decide_what_is_unknown(entries: list[int], layout: Layout) -> None:
    readings = [decode_pte(entries[0], numbers) for numbers in layout.candidates]
    one, other = merge(readings), merge(reversed(readings))
    assert set(one.unknown) == set(other.unknown)
    assert set(one.kinds) == set(other.kinds)
    assert (one.type, one.offset, one.pfn, one.uffd_wp) == (
        other.type,
        other.offset,
        other.pfn,
        other.uffd_wp,
    )


@pytest.mark.parametrize(
    ("markers", "label"),
    [
        (("uffd_wp", "poison"), "marker_poison"),
        (("uffd_wp", "guard"), "marker_guard"),
        (("uffd_wp", "poison", "guard"), "marker_poison"),
        ((), "other"),
    ],
)
def test_of_several_marker_bits_the_label_is_of_the_one_that_the_kernel_obeys(
    markers: tuple[str, ...], label: str
) -> None:
    layout = named("debian-7.2")
    assert kind_label(decode(encode.marker(markers, layout.candidates[0]), layout)) == label


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("debian-6.1", encode.swap_entry(27, 5), "migration"),
        ("debian-7.2", encode.swap_entry(30, 5), "device"),
        ("debian-6.1", encode.swap_entry(3, 5), "swap_slot"),
        ("debian-6.1", encode.swap_entry(3, 0), "other"),
        ("debian-6.1", encode.swap_entry(0, 0), "other"),
        ("debian-6.1", 0, "none"),
        ("debian-6.1", 0x500, "present"),
    ],
)
def test_coarse_kinds(name: str, value: int, label: str) -> None:
    assert kind_label(decode(value, named(name))) == label


def test_what_cannot_be_told_apart_is_special() -> None:
    entry = decode(encode.swap_entry(30, 5), UNKNOWN)
    assert {k.MARKER, k.MIGRATION_READ, k.HWPOISON} <= set(entry.kinds)
    assert kind_label(entry) == "special"
    assert "cannot be told apart" in entry.description
    assert entry.pfn is None
    assert "pfn" in entry.unknown
