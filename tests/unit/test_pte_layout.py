# SPDX-License-Identifier: GPL-2.0-only
"""Layouts: the numbers of known kernels, and what is left when something is not known."""

import gzip
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UserError
from profiler.pte import bits, config, from_kernel
from profiler.pte import kinds as k
from profiler.pte.decode import decode, decode_pte
from profiler.pte.generations import GENERATIONS, Generation, Options, numbers
from profiler.pte.layout import OPTIONS, Facts, Layout, candidates
from profiler.pte.named import NAMES, named
from profiler.pte.swap_areas import SwapBtf, the_one

READ, EXCLUSIVE, WRITE = k.MIGRATION_READ, k.MIGRATION_READ_EXCLUSIVE, k.MIGRATION_WRITE
SPECIAL = {
    "debian-5.10": (k.HWPOISON, READ, WRITE),
    "debian-5.10-cloud": (READ, WRITE),
    "debian-6.1": (k.HWPOISON, READ, EXCLUSIVE, WRITE, k.MARKER, k.SWAPIN_ERROR),
    "debian-6.1-cloud": (READ, EXCLUSIVE, WRITE, k.MARKER, k.SWAPIN_ERROR),
    "debian-6.12": (k.HWPOISON, READ, EXCLUSIVE, WRITE, k.MARKER),
    "debian-7.2": (
        *(k.HWPOISON, READ, EXCLUSIVE, WRITE),
        *(k.DEVICE_PRIVATE_WRITE, k.DEVICE_PRIVATE_READ, k.DEVICE_EXCLUSIVE, k.MARKER),
    ),
}
CONFIGURATIONS = {
    "debian-5.10": "# CONFIG_X86_5LEVEL is not set\nCONFIG_MEMORY_FAILURE=y",
    "debian-6.1": "CONFIG_X86_5LEVEL=y\nCONFIG_MEMORY_FAILURE=y\n"
    "CONFIG_PTE_MARKER=y\nCONFIG_PTE_MARKER_UFFD_WP=y",
    "debian-6.1-cloud": "CONFIG_PTE_MARKER=y\nCONFIG_PTE_MARKER_UFFD_WP=y\nCONFIG_X86_5LEVEL=y",
    "debian-6.12": "CONFIG_X86_5LEVEL=y\nCONFIG_MEMORY_FAILURE=y\nCONFIG_PTE_MARKER_UFFD_WP=y",
    "debian-7.2": "CONFIG_DEVICE_PRIVATE=y\nCONFIG_MEMORY_FAILURE=y\nCONFIG_PTE_MARKER_UFFD_WP=y",
}
COMMON = """CONFIG_X86_64=y
CONFIG_MIGRATION=y
CONFIG_MEM_SOFT_DIRTY=y
CONFIG_HAVE_ARCH_USERFAULTFD_WP=y
"""
U64 = st.integers(0, bits.U64)
truths = st.builds(
    lambda generation, options: (generation, Options(**options)),
    st.sampled_from(GENERATIONS),
    st.fixed_dictionaries({name: st.booleans() for name in OPTIONS}),
)


@pytest.mark.parametrize("name", NAMES)
def test_special_types_of_known_kernels(name: str) -> None:
    """As compiled: the arithmetic on their configurations, the markers and several others seen in faults."""
    for found in named(name).candidates:
        assert found.types == (k.SWAP_SLOT,) * (32 - len(SPECIAL[name])) + SPECIAL[name]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match=r"no layout 'debian-4'.*debian-5\.10.*--config"):
        named("debian-4")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_gives_the_numbers_of_its_kernel_among_others(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config-x"
    path.write_text(COMMON + CONFIGURATIONS[name])
    found = from_kernel.from_configuration(path)
    assert set(named(name).candidates) <= set(found.candidates)
    if name != "debian-7.2":
        assert {numbers.types for numbers in found.candidates} == {
            numbers.types for numbers in named(name).candidates
        }
        assert found.doubts == ()
    else:  # whether there are one or two device-exclusive types, no symbol tells
        assert {numbers.max_swapfiles for numbers in found.candidates} == {23, 24}
        assert "device_exclusive or device_exclusive_read" in found.doubts[0]


def test_markers_turned_off_are_told_from_markers_unknown() -> None:
    off = config.facts(config.parse(COMMON + "# CONFIG_PTE_MARKER_UFFD_WP is not set"))
    never = config.facts(config.parse(COMMON))
    assert {found.exclusive for found in candidates(off)} == {True}
    assert {k.MARKER in found.types for found in candidates(off)} == {True, False}
    assert {found.exclusive for found in candidates(never)} == {False}


def test_a_gzipped_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.gz"
    path.write_bytes(gzip.compress((COMMON + "CONFIG_X=y").encode()))
    assert config.read(path)["X"] == "y"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"CONFIG_ARM64=y\n", "CONFIG_X86_64=y"),
        (b"\x00\xff", "CONFIG_X86_64=y"),
        (b"\x1f\x8bnonsense", "config-x"),
        (gzip.compress(b"CONFIG_X86_64=y\n" * 1000)[:-20], "damaged"),
        (None, "No such file"),
    ],
)
def test_what_is_no_configuration_is_refused(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "config-x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        config.read(path)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    assert "--layout" in str(caught.value)


def _facts(truth: tuple[Generation, Options], shown: set[str]) -> Facts:
    """Part of the truth."""
    generation, options = truth
    known = {name: getattr(generation, name) for name in ("exclusive", "young_dirty", "guard", "marker")}
    return Facts(
        numbers(generation, options).max_swapfiles if "areas" in shown else None,
        {name: value for name, value in asdict(options).items() if name in shown},
        {name: value for name, value in known.items() if name in shown},
    )


shown = st.sets(st.sampled_from([*OPTIONS, "areas", "exclusive", "young_dirty", "guard", "marker"]))


@given(truth=truths, less=shown, more=shown, value=U64, type_=st.integers(20, 31))
def test_the_less_is_known_the_more_kinds_are_left_and_the_true_one_always_is(
    truth: tuple[Generation, Options], less: set[str], more: set[str], value: int, type_: int
) -> None:
    value = value & (1 << 59) - 1 | type_ << 59
    true = decode_pte(value, numbers(*truth))
    few = Layout("few", candidates(_facts(truth, less | more)))
    many = Layout("many", candidates(_facts(truth, less)))
    assert set(few.candidates) <= set(many.candidates)
    known, vague = decode(value, few), decode(value, many)
    assert set(true.kinds) <= set(known.kinds) <= set(vague.kinds)
    for entry in (known, vague):
        for name in ("present", "type", "offset", "pfn", "soft_dirty", "exclusive", "uffd_wp"):
            if name not in entry.unknown:
                assert getattr(entry, name) == getattr(true, name)
        for name in ("flags", "markers", "unexpected"):
            said, so = set(getattr(entry, name)), set(getattr(true, name))
            assert said <= so if name in entry.unknown else said == so, name


@given(truth=truths)
def test_all_facts_leave_one_type_for_each_number_of_a_kernel_with_markers(
    truth: tuple[Generation, Options],
) -> None:
    """Generations that differ in other bits alone remain."""
    found = candidates(_facts(truth, {*OPTIONS, "areas", "exclusive", "young_dirty", "guard", "marker"}))
    assert numbers(*truth).types in {candidate.types for candidate in found}
    assert len({candidate.types for candidate in found}) <= 2


def test_an_unknown_fact_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        candidates(Facts(options={"colour": True}))
    with pytest.raises(KeyError, match="colour"):
        candidates(Facts(generation={"colour": True}))


def test_facts_that_contradict_each_other_leave_the_least_sure_aside() -> None:
    compiled = Facts(29, {"migration": True, "device_private": False})
    layout = from_kernel.derive("x", [("BTF", compiled), ("file", Facts(generation={"marker": "always"}))])
    assert {found.types[29:] for found in layout.candidates} == {SPECIAL["debian-5.10"]}
    assert layout.sources == ("BTF",)
    assert layout.doubts[0].startswith("file contradicts")


def test_a_kernel_of_an_unknown_kind_leaves_everything_open() -> None:
    layout = from_kernel.derive("x", [("BTF", Facts(areas=12))])
    assert set(layout.candidates) == set(candidates(Facts()))
    assert layout.sources == ()


def test_two_sources_that_disagree_on_the_same_thing() -> None:
    surer, other = Facts(options={"migration": True}), Facts(options={"migration": False})
    layout = from_kernel.derive("x", [("one", surer), ("other", other)])
    assert layout.sources == ("one",)
    assert all(k.MIGRATION_READ in found.types for found in layout.candidates)


def _functions(*names: str) -> Facts:
    return from_kernel._of_functions({name: name in names for name in from_kernel.FUNCTIONS})


OLD = ("memory_failure", "migration_entry_wait", "max_swapfile_size", "mwriteprotect_range")
NEW = ("memory_failure", "migration_entry_wait", "arch_max_swapfile_size", "mwriteprotect_range")


@pytest.mark.parametrize(
    ("name", "areas", "exclusive", "functions"),
    [
        ("debian-5.10", 29, False, OLD),
        ("debian-5.10-cloud", 30, False, OLD[1:]),
        ("debian-6.1", 26, True, NEW),
        ("debian-6.1-cloud", 27, True, NEW[1:]),
        ("debian-6.12", 27, True, (*NEW, "pte_mkwrite")),
        (
            "debian-7.2",
            24,
            True,
            (*NEW, "pte_mkwrite", "guard_install_pte_entry", "make_device_exclusive"),
        ),
    ],
)
def test_a_kernel_whose_configuration_cannot_be_read_says_its_types_in_btf_and_symbols(
    name: str, areas: int, exclusive: bool, functions: tuple[str, ...]
) -> None:
    """MAX_SWAPFILES, PG_anon_exclusive and functions as those kernels' own BTF and symbols have them."""
    btf = Facts(areas, {}, {"exclusive": exclusive})
    layout = from_kernel.derive(name, [("BTF", btf), ("symbols", _functions(*functions))])
    assert layout.doubts == ()
    assert layout.types == named(name).types
    assert {found.markers for found in layout.candidates} == {
        found.markers for found in named(name).candidates
    }


def test_device_memory_is_known_to_be_absent_only_where_its_functions_would_be_known() -> None:
    assert "device_private" not in _functions(*OLD).options
    assert _functions(*NEW).options["device_private"] is False
    found = _functions(*NEW, "make_device_exclusive_range")
    assert (found.options["device_private"], found.generation["one_device_exclusive"]) == (True, False)


def test_without_symbols_nothing_follows_from_them() -> None:
    assert from_kernel._of_functions(None) == Facts()


@pytest.mark.parametrize(
    ("lengths", "one"), [([0, 28, 10], 28), ([0, 10], None), ([26, 27], None), ([33, 19, 20, 20], 20)]
)
def test_which_array_is_the_one_of_swap_areas(lengths: list[int], one: int | None) -> None:
    assert the_one(lengths) == one


@pytest.mark.skipif(
    not Path("/sys/kernel/btf/vmlinux").exists() or not config.of_running_kernel(),
    reason="no BTF or no configuration: boot a kernel with DEBUG_INFO_BTF and IKCONFIG_PROC",
)
def test_this_kernels_btf_says_what_follows_from_its_configuration() -> None:
    found = config.of_running_kernel()
    assert found
    by_configuration = from_kernel.derive("x", [("configuration", config.facts(found[0]))])
    areas = SwapBtf().max_swapfiles()
    assert areas in {candidate.max_swapfiles for candidate in by_configuration.candidates}
    running = from_kernel.running()
    assert {candidate.max_swapfiles for candidate in running.candidates} == {areas}
    assert running.doubts == ()
