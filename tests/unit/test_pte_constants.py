# SPDX-License-Identifier: GPL-2.0-only
"""``bpf/pte.h`` itself, compiled natively as the probes are, against the decoder."""

import ctypes as ct
import subprocess
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from profiler.hooks import program
from profiler.pte import bits, encode
from profiler.pte import kinds as k
from profiler.pte.constants import constants
from profiler.pte.decode import decode
from profiler.pte.entry import kind_label
from profiler.pte.layout import Facts, Layout, candidates
from profiler.pte.named import NAMES, named
from profiler.pte.proposals import PROPOSALS, Proposal
from profiler.slots import SWAP_KINDS
from tests.unit import samples

Case = tuple[str, Proposal | None]

HEAD = """
#include <stdbool.h>
typedef unsigned int u32; typedef unsigned long long u64;
#define INLINE
"""
FUNCTIONS = ("swap_type", "swap_offset", "swap_is_proposed", "swap_kind", "swap_uffd_wp")
UNKNOWN = Layout("unknown", candidates(Facts()))
LAYOUTS = {**{name: named(name) for name in NAMES}, "unknown": UNKNOWN}
CASES: list[Case] = [(name, proposal) for name in LAYOUTS for proposal in (None, *PROPOSALS)]
EDGES = (0, 1, 2, 4, 8, bits.OFFSET_MAX - 1, bits.OFFSET_MAX)
FRAMES = st.integers(16, bits.OFFSET_MAX)
"""Of pages that a process can have: not in the first 64 KiB."""

PTES = st.builds(
    lambda type_, offset, low: encode.swap_entry(type_, offset) | low,
    st.integers(0, 31),
    st.integers(0, 9) | st.integers(0, bits.OFFSET_MAX) | st.just(bits.OFFSET_MAX),
    st.sampled_from(range(0, 16, 2)),
) | st.integers(0, bits.U64).filter(lambda value: not bits.is_present(value))
"""All that are not present, and more of those near the edges."""


class Probe:
    """What the probes make of a pte, in one case."""

    def __init__(self, library: ct.CDLL, suffix: str) -> None:
        self._kind = getattr(library, f"swap_kind{suffix}")
        self._kind.argtypes, self._kind.restype = (ct.c_uint64, ct.c_bool), ct.c_uint32
        self._uffd_wp = getattr(library, f"swap_uffd_wp{suffix}")
        self._uffd_wp.argtypes, self._uffd_wp.restype = (ct.c_uint64, ct.c_uint32), ct.c_bool

    def label(self, pte: int, anonymous: bool = False) -> str:
        return SWAP_KINDS[self._kind(pte, anonymous)]

    def uffd_wp(self, pte: int, anonymous: bool = False) -> bool:
        return bool(self._uffd_wp(pte, self._kind(pte, anonymous)))


def _defines(case: Case, suffix: str) -> dict[str, str]:
    """The constants that the BPF compiler gets, and names of the functions that are this case's own."""
    name, proposal = case
    options = program.flags(samples.fentry_plan(), constants(LAYOUTS[name], proposal), 2, False)
    given = dict(option[2:].split("=", 1) for option in options if option.startswith("-D"))
    return given | {function: function + suffix for function in FUNCTIONS}


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Probe]:
    """One library of all cases: the file included once for each."""
    lines = [HEAD]
    for number, case in enumerate(CASES):
        defines = _defines(case, f"_{number}")
        lines += [f"#define {name} {value}" for name, value in defines.items()]
        lines.append(f'#include "{program.folder() / "pte.h"}"')
        lines += [f"#undef {name}" for name in defines]
    target = tmp_path_factory.mktemp("constants") / "probes.so"
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-x", "c", "-o", str(target), "-"]
    subprocess.run(command, input="\n".join(lines).encode() + b"\n", check=True)
    library = ct.CDLL(str(target))
    return {case: Probe(library, f"_{number}") for number, case in enumerate(CASES)}


@pytest.mark.parametrize(
    ("name", "pte", "label", "uffd_wp"),
    [
        # Observed in faults: each kernel's own bytes.
        ("debian-6.1", 0x07FFFFFFFFFBFA0A, "swap_slot", False),  # device 0, offset 514
        ("debian-6.1", 0x07FFFFFFFFFBFA0E, "swap_slot", True),
        ("debian-6.1", 0xF7FFFFFFFFFFFC00, "marker_uffd_wp", True),
        ("debian-6.12", 0xFFFFFFFFFFFFFC00, "marker_uffd_wp", True),
        ("debian-7.2", 0xFFFFFFFFFFFFFC00, "marker_uffd_wp", True),
        ("debian-7.2", 0xFFFFFFFFFFFFFA00, "marker_poison", False),
        ("debian-7.2", 0xFFFFFFFFFFFFF600, "marker_guard", False),
        # Computed: offset 0 is the header of a swap area, so never a slot.
        ("debian-6.1", 0x07FFFFFFFFFFFE00, "other", False),
        ("debian-6.1", 0x0FFFFFFFFFFFFE00, "other", False),
        ("debian-6.1", 0x07FFFFFFFFFFF600, "swap_slot", False),
    ],
)
def test_entries_that_were_seen(
    probes: dict[Case, Probe], name: str, pte: int, label: str, uffd_wp: bool
) -> None:
    probe = probes[name, None]
    assert (probe.label(pte), probe.uffd_wp(pte)) == (label, uffd_wp)


@given(pte=PTES, case=st.sampled_from(CASES), anonymous=st.booleans())
@example(pte=0xFFFFFFFFFFFFFC00, case=("debian-6.12", None), anonymous=False)
@example(pte=encode.swap_entry(31, 7), case=("debian-7.2", None), anonymous=False)
@example(pte=0x4, case=("debian-6.1", "type0-uffd-bit"), anonymous=False)
@example(pte=0x4, case=("unknown", "type0-uffd-bit"), anonymous=False)
def test_any_entry_is_of_the_kind_that_the_decoder_says(
    probes: dict[Case, Probe], pte: int, case: Case, anonymous: bool
) -> None:
    name, proposal = case
    entry = decode(pte, LAYOUTS[name], proposal=proposal, vma_is_anonymous=anonymous)
    assume(entry.kinds != (k.NONE,))  # never reaches do_swap_page()
    label = probes[case].label(pte, anonymous)
    if name == "unknown":
        # A proposal that the user names is in use, whatever else is in doubt.
        assert label in {"special", *map(k.label_of, entry.kinds)}
    else:
        assert label == kind_label(entry)


@pytest.mark.parametrize("proposal", [None, *PROPOSALS])
@pytest.mark.parametrize("name", NAMES)
def test_at_the_edges_of_the_offset_all_types_are_what_the_decoder_says(
    probes: dict[Case, Probe], name: str, proposal: Proposal | None
) -> None:
    for type_, offset, low, anonymous in product(range(32), EDGES, (0, bits.SWP_UFFD_WP), (True, False)):
        pte = encode.swap_entry(type_, offset) | low
        entry = decode(pte, LAYOUTS[name], proposal=proposal, vma_is_anonymous=anonymous)
        if entry.kinds != (k.NONE,):
            assert probes[name, proposal].label(pte, anonymous) == kind_label(entry), hex(pte)


@given(pte=PTES, case=st.sampled_from(CASES), anonymous=st.booleans())
@example(pte=0xFFFFFFFFFFFFFC00, case=("debian-6.12", None), anonymous=False)
@example(pte=encode.swap_entry(31, 3), case=("debian-7.2", None), anonymous=False)
@example(pte=encode.swap_entry(31, 3, uffd_wp=True), case=("debian-5.10", None), anonymous=False)
@example(pte=encode.swap_entry(1, 0), case=("debian-6.1", "type1-offset0"), anonymous=True)
def test_any_entry_is_write_protected_if_the_decoder_says_so(
    probes: dict[Case, Probe], pte: int, case: Case, anonymous: bool
) -> None:
    name, proposal = case
    entry = decode(pte, LAYOUTS[name], proposal=proposal, vma_is_anonymous=anonymous)
    assume(entry.uffd_wp is not None)  # not to be told, or the kernel has no such bit
    # make_pte_marker() (include/linux/swapops.h) sets no flag below the offset.
    assume(not (entry.markers and pte & bits.SWP_UFFD_WP))
    assume(name != "unknown" or bits.swap_offset(pte) >= 16)
    assert probes[case].uffd_wp(pte, anonymous) == entry.uffd_wp


@given(type_=st.integers(0, 31), pfn=FRAMES, low=st.sampled_from(range(0, 16, 2)))
@example(type_=31, pfn=17, low=0)
def test_of_a_layout_in_doubt_an_entry_of_a_page_says_uffd_wp_by_its_bit(
    probes: dict[Case, Probe], type_: int, pfn: int, low: int
) -> None:
    pte = encode.swap_entry(type_, pfn) | low
    assert probes["unknown", None].uffd_wp(pte) == bool(low & bits.SWP_UFFD_WP)


@pytest.mark.parametrize("markers", range(1, 8))
@pytest.mark.parametrize("type_", range(22, 32))
def test_of_a_layout_in_doubt_a_marker_says_uffd_wp_by_its_offset(
    probes: dict[Case, Probe], type_: int, markers: int
) -> None:
    """PTE_MARKER_UFFD_WP, _POISONED and _GUARD are 1, 2 and 4; they may stand together."""
    pte = encode.swap_entry(type_, markers)
    assert probes["unknown", None].label(pte) == "special"
    assert probes["unknown", None].uffd_wp(pte) == bool(markers & 1)


def test_a_layout_in_doubt_has_special_types() -> None:
    table = constants(UNKNOWN)["SWAP_KINDS_16"]
    special = k.LABELS.index("special")
    assert [table >> 4 * place & 15 for place in range(6, 16)] == [special] * 10
    assert table & 15 == k.LABELS.index("swap_slot")


def test_every_label_fits_the_table() -> None:
    assert len(k.LABELS) < 15
    assert {k.label_of(kind) for kind in k.MEANING} <= {*k.LABELS, "none", "present"}
    assert SWAP_KINDS == k.LABELS
