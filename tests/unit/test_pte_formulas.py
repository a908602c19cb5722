# SPDX-License-Identifier: GPL-2.0-only
"""The arithmetic against the kernel's own rules, written down once more in C and compiled natively."""

import ctypes as ct
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiler.pte import bits, decode, encode
from profiler.pte import kinds as k
from profiler.pte.generations import GENERATIONS, Generation, Options, numbers

SOURCE = r"""
typedef unsigned long long u64;

/* arch/x86/include/asm/pgtable_64.h, drawing of a swap entry: type in bits 59 to 63, the complement of the
 * offset in bits 9 to 58. Bit by bit, where the kernel shifts. */
u64 encode(unsigned type, u64 offset)
{
    u64 pte = 0;
    for (int bit = 0; bit < 50; bit++)
        if (!(offset >> bit & 1))
            pte |= 1ull << (9 + bit);
    for (int bit = 0; bit < 5; bit++)
        pte |= (u64)(type >> bit & 1) << (59 + bit);
    return pte;
}
unsigned type_of(u64 pte)
{
    unsigned type = 0;
    for (int bit = 63; bit >= 59; bit--)
        type = type * 2 + (pte >> bit & 1);
    return type;
}
u64 offset_of(u64 pte)
{
    u64 offset = 0;
    for (int bit = 58; bit >= 9; bit--)
        offset = offset * 2 + !(pte >> bit & 1);
    return offset;
}

/* arch/x86/include/asm/pgtable.h: pte_none(), pte_present(), pte_pfn(); pgtable-invert.h: an entry that is
 * not 0 and lacks _PAGE_PRESENT has its frame complemented. */
int none(u64 pte) { return (pte | 0x60) == 0x60; }
int present(u64 pte) { return pte % 2 || pte / 256 % 2; }
u64 pfn_of(u64 pte)
{
    u64 frame = pte << 12 >> 24;
    return pte && pte % 2 == 0 ? frame ^ 0xffffffffffull : frame;
}

/* include/linux/swap.h: the special types from the top downwards; what is not configured has no number.
 * The order and the conditions as of the release; SWP_MIGRATION_READ_EXCLUSIVE since 5.19. */
enum {
#ifdef CONFIG_MEMORY_FAILURE
    HWPOISON,
#endif
#ifdef CONFIG_MIGRATION
    MIGRATION_READ,
#if RELEASE >= 519
    MIGRATION_READ_EXCLUSIVE,
#endif
    MIGRATION_WRITE,
#endif
#ifdef CONFIG_DEVICE_PRIVATE
    DEVICE_PRIVATE_WRITE, DEVICE_PRIVATE_READ,
#if RELEASE >= 615
    DEVICE_EXCLUSIVE,
#elif RELEASE >= 514
    DEVICE_EXCLUSIVE_WRITE, DEVICE_EXCLUSIVE_READ,
#endif
#endif
#if RELEASE >= 602 || (RELEASE >= 519 && defined(CONFIG_PTE_MARKER))
    MARKER,
#endif
#if RELEASE >= 519 && RELEASE < 602
    SWAPIN_ERROR,
#endif
    SPECIALS
};
#define NUMBER(name) int number_##name(void) { return 32 - SPECIALS + name; }
int max_swapfiles(void) { return 32 - SPECIALS; }
"""
RELEASES = {
    "before-device-exclusive": 510,
    "device-exclusive": 514,
    "pte-marker": 519,
    "migration-young-dirty": 601,
    "swapin-error-marker": 602,
    "poison-marker": 606,
    "guard-marker": 613,
    "one-device-exclusive": 615,
}
u64s = st.integers(0, bits.U64)
generations = st.sampled_from(GENERATIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formulas")


def _compiled(folder: Path, name: str, source: str, *defines: str) -> ct.CDLL:
    target = folder / f"{name}.so"
    flags = ["-O0", "-Wall", "-Werror", *(f"-D{define}" for define in defines)]
    command = ["gcc", *flags, "-shared", "-fPIC", "-x", "c", "-o", str(target), "-"]
    subprocess.run(command, input=source.encode(), check=True)
    library = ct.CDLL(str(target))
    for function in ("encode", "offset_of", "pfn_of"):
        getattr(library, function).restype = ct.c_uint64
    library.encode.argtypes = (ct.c_uint, ct.c_uint64)
    for function in ("type_of", "offset_of", "none", "present", "pfn_of"):
        getattr(library, function).argtypes = (ct.c_uint64,)
    return library


@pytest.fixture(scope="module")
def kernel(folder: Path) -> ct.CDLL:
    return _compiled(folder, "kernel", SOURCE, "RELEASE=615")


@given(value=u64s)
@example(value=0)
@example(value=0x60)
@example(value=0x100)
@example(value=0x7FFFFFFFFFBFA0A)
def test_any_value_is_taken_apart_as_the_kernel_does(kernel: ct.CDLL, value: int) -> None:
    assert bits.swap_type(value) == kernel.type_of(value)
    assert bits.swap_offset(value) == kernel.offset_of(value)
    assert bits.is_none(value) == kernel.none(value)
    assert bits.is_present(value) == kernel.present(value)
    assert bits.pfn(value) == kernel.pfn_of(value) or value == 0


@given(type_=st.integers(0, 31), offset=st.integers(0, bits.OFFSET_MAX))
def test_any_entry_is_made_as_the_kernel_does(kernel: ct.CDLL, type_: int, offset: int) -> None:
    assert encode.swap_entry(type_, offset) == kernel.encode(type_, offset)


@cache
def _special_types(folder: Path, generation: Generation, options: Options) -> dict[str, int]:
    """The numbers as a C compiler finds them."""
    symbols = {
        "MEMORY_FAILURE": options.memory_failure,
        "MIGRATION": options.migration,
        "DEVICE_PRIVATE": options.device_private,
        "PTE_MARKER": options.pte_marker,
    }
    # Which of the enumerators there are, the preprocessor says.
    found = numbers(generation, options).types
    names = [name for name in k.MEANING if name in found and name != k.SWAP_SLOT]
    source = SOURCE + "".join(f"NUMBER({name.upper()})\n" for name in names)
    defines = [f"RELEASE={RELEASES[generation.name]}"]
    defines += [f"CONFIG_{symbol}" for symbol, on in symbols.items() if on]
    library = _compiled(folder, f"{generation.name}-{abs(hash(options))}", source, *defines)
    compiled = {name: int(getattr(library, f"number_{name.upper()}")()) for name in names}
    return compiled | {k.SWAP_SLOT: int(library.max_swapfiles())}


OPTIONS = [
    Options(device_private=True),
    Options(migration=False, memory_failure=False),
    Options(device_private=True, pte_marker=False),
]


@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda g: g.name)
def test_special_types_have_the_numbers_that_a_compiler_finds(
    folder: Path, generation: Generation, options: Options
) -> None:
    ours = numbers(generation, options)
    for name, number in _special_types(folder, generation, options).items():
        assert (ours.max_swapfiles if name == k.SWAP_SLOT else ours.number(name)) == number
    assert len(ours.types) == 32
    assert len(set(ours.types[ours.max_swapfiles :])) == 32 - ours.max_swapfiles


@given(
    type_=st.integers(22, 31),
    offset=st.integers(0, bits.OFFSET_MAX),
    generation=generations,
    five_level=st.booleans(),
)
@example(type_=27, offset=1 << 36, generation=GENERATIONS[-1], five_level=True)
def test_the_pfn_of_an_entry_ends_where_the_kernels_does(
    type_: int, offset: int, generation: Generation, five_level: bool
) -> None:
    """MAX_PHYSMEM_BITS is 46 or 52; before the accessed and dirty bits the offset was the pfn alone."""
    ours = numbers(generation, Options(five_level=five_level, device_private=True))
    entry = decode.decode_pte(encode.swap_entry(type_, offset), ours)
    if entry.kinds[0] in k.WITH_PFN:
        width = (52 if five_level else 46) - 12 if RELEASES[generation.name] >= 601 else 50
        assert entry.pfn == offset % (1 << width)
        if entry.kinds[0] in k.MIGRATION and width < 50:
            assert ("young" in entry.flags) == bool(offset >> width & 1)
            assert ("dirty" in entry.flags) == bool(offset >> width + 1 & 1)
