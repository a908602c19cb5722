# SPDX-License-Identifier: GPL-2.0-only
"""The C side and the constants it is compiled with fit together, for every plan."""

import errno
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import slots
from profiler.hooks import program
from profiler.hooks.catalogue import HOOKS, SYMBOLS, Hook, Way
from profiler.hooks.planner import Plan, plan
from profiler.kernel import layout
from profiler.pte import constants
from profiler.pte.named import NAMES, named

SOURCES = sorted(path for path in program.folder().iterdir() if path.suffix in (".c", ".h"))
OFFSETS = {
    f"OFF_{key}"
    for members in (layout._MEMBERS, layout._MAPLE_MEMBERS, layout._RB_MEMBERS, layout._FOLIO_MEMBERS)
    for key in members
}
MAPLE = {"MAPLE_LEAF_64", "MAPLE_ARANGE_64", "MAPLE_RANGE_64_PIVOTS", "MAPLE_ARANGE_64_PIVOTS"}
PTE = set(constants.constants(named(NAMES[0])))
FACTS = dict.fromkeys(
    OFFSETS
    | MAPLE
    | PTE
    | {"PG_HEAD"}
    | {f"{prefix}_{name}" for name in SYMBOLS for prefix in ("ADDRESS", "NARGS")},
    1,
)


def code(path: Path) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.S)


ASKED = {"resolve": True}


def everything() -> Plan:
    return plan(lambda hook, way: None, asked=ASKED)


def given() -> set[str]:
    found = set()
    for option in program.flags(everything(), FACTS, 2, True):
        match = re.fullmatch(r"-D(\w+)=.*", option)
        if match:
            found.add(match[1])
    return found


def defined_in_c() -> set[str]:
    text = "\n".join(code(path) for path in SOURCES)
    macros = set(re.findall(r"#define\s+(\w+)", text))
    enums = {
        name
        for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, flags=re.S)
        for name in re.findall(r"(\w+)\s*(?==|,)", body)
    }
    return macros | enums


def used(path: Path) -> set[str]:
    """Names of constants that a file uses, pasted ones too."""
    text = code(path)
    names = {name for name in re.findall(r"\b[A-Z][A-Z0-9]*_\w+", text) if not name.endswith("_")}
    names |= {f"OFF_{member}" for member in re.findall(r"\b([a-z]\w*?__\w+)\)", text)}
    # Left-hand sides of ##, symbols asked for by #ifdef, and what BCC's own headers define.
    return {name for name in names if not name.startswith(("SYMBOL_", "WAY_", "PROBE", "RETURN_", "BPF_"))}


def test_the_scan_sees_what_is_used() -> None:
    """Else the tests below could not fail."""
    read_fault = used(program.folder() / "read_fault.c")
    assert {"OUTCOME_RAN", "SLOT_READ_FAULT", "MISSED_VMA_UNKNOWN", "OFF_vm_fault__vma"} <= read_fault
    assert "MODE_WP" in used(program.folder() / "region.h")
    assert "FACT_RAN" in defined_in_c()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_every_constant_used_is_defined(path: Path) -> None:
    assert used(path) - given() - defined_in_c() == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_no_constant_of_ours_is_defined_twice(path: Path) -> None:
    ours = set(re.findall(r"#define\s+(\w+)", code(path))) & given()
    assert ours == set()


def test_every_slot_and_label_is_used() -> None:
    """A family that nothing counts would be shown as zero."""
    text = {name for path in SOURCES for name in used(path)}
    families = {f"SLOT_{family.upper()}" for family in slots.FAMILIES}
    assert families <= text
    outcomes = {f"OUTCOME_{name.upper()}" for name in slots.OUTCOMES}
    results = {f"RESULT_{name.upper()}" for name in slots.RESULTS}
    missed = {f"MISSED_{name.upper()}" for name in slots.MISSED}
    backings = {f"BACKING_{name.upper()}" for name in slots.BACKINGS}
    ops = {f"OP_{name.upper()}" for name in slots.RESOLVE_OPS}
    answers = {f"RESOLVED_{name.upper()}" for name in slots.RESOLVE_RESULTS}
    swap = {f"SWAP_{name.upper()}" for name in slots.SWAP_RESULTS}
    shmem = {f"SHMEM_SWAPIN_{name.upper()}" for name in slots.SHMEM_SWAPIN_RESULTS}
    readers = {f"SWAP_READ_BY_{name.upper()}" for name in slots.SWAP_READERS}
    assert outcomes | results | missed | backings | ops | answers | swap | shmem | readers <= text


def test_every_offset_looked_up_is_used() -> None:
    in_python = set(re.findall(r'"(OFF_\w+)"', Path(layout.__file__).read_text()))
    assert OFFSETS - in_python - {name for path in SOURCES for name in used(path)} == set()


def test_every_file_is_compiled_or_is_no_part_of_it() -> None:
    assert {path.name for path in SOURCES} == set(program._FILES)
    assert len(set(program._FILES)) == len(program._FILES)


def test_the_source_is_all_files_in_their_order() -> None:
    source = program.source()
    places = [source.index(f'#line 1 "{name}"') for name in program._FILES]
    assert places == sorted(places)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_nothing_depends_on_a_kernel_version(path: Path) -> None:
    assert not re.search(r"KERNEL_VERSION|LINUX_VERSION|UTS_RELEASE|\bVERSION\b", code(path))
    assert "#include" not in code(path)


def test_no_option_says_a_kernel_version() -> None:
    assert not any("VERSION" in option for option in program.flags(everything(), FACTS, 2, False))
    package = Path(program.__file__).parent.parent
    for path in (*(package / "hooks").glob("*.py"), *(package / "kernel").glob("*.py")):
        text = path.read_text()
        # session.py passes the release on to the report, and that alone.
        assert len(re.findall(r"\.release\b", text)) == (1 if path.name == "session.py" else 0)
        assert "LINUX_VERSION" not in text


def programs(chosen: Plan, filtered: bool = True) -> set[str]:
    """Names of the functions that the preprocessor leaves, for one plan."""
    flags = [flag for flag in program.flags(chosen, FACTS, 2, filtered) if flag.startswith("-D")]
    done = subprocess.run(
        ["gcc", "-E", "-P", "-x", "c", "-undef", "-nostdinc", *flags, "-"],
        input=program.source(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^\s*int (\w+)\(", done.stdout, flags=re.M))


def _refuse(*ways: str, symbols: tuple[str, ...] = ()) -> Callable[[Hook, Way], str | None]:
    return lambda hook, way: "no" if way.name in ways or way.symbol in symbols else None


PLANS = {
    "fentry": _refuse(),
    "kprobe": _refuse("fentry"),
    "tracepoint": _refuse("fentry", "kprobe"),
    "6.1": _refuse(symbols=("do_fault_around", "set_pte_range")),
    "5.10": _refuse(symbols=("do_fault_around", "set_pte_range", "do_set_pte", "do_set_pmd")),
    "5.10 kprobe": _refuse(
        "fentry", symbols=("do_fault_around", "set_pte_range", "do_set_pte", "do_set_pmd")
    ),
    "no fault-around": lambda hook, way: "no" if hook.name == "map_pages" else None,
    "vital": lambda hook, way: None if hook.vital else "no",
    "map_pages by tracepoint": lambda hook, way: "no" if hook.name == "map_pages" and way.symbol else None,
    "userfault by kprobe": lambda hook, way: (
        "no" if hook.name == "userfault" and way.name == "fentry" else None
    ),
    "userfault by tracepoint": lambda hook, way: "no" if hook.name == "userfault" and way.symbol else None,
}


@pytest.mark.parametrize("asked", [ASKED, {}], ids=["all asked for", "as usual"])
@pytest.mark.parametrize("refuse", PLANS.values(), ids=PLANS)
def test_every_program_of_a_plan_is_in_the_source(
    refuse: Callable[[Hook, Way], str | None], asked: dict[str, bool]
) -> None:
    chosen = plan(refuse, asked=asked)
    wanted = {attachment.program for hook in chosen.hooks for attachment in hook.attachments}
    found = programs(chosen)
    assert wanted <= found
    # What is compiled and never attached is a mistake as well.
    assert found - wanted == {"raw_sched_process_fork"}
    assert "raw_sched_process_fork" not in programs(chosen, filtered=False)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_hooks_named_in_c_are_in_the_catalogue(path: Path) -> None:
    if path.name == "probe.h":
        return
    names = {hook.name for hook in HOOKS}
    text = code(path)
    assert set(re.findall(r"\bWAY_IS\((\w+),", text)) <= names
    assert set(re.findall(r"\b(?:PROBE\d|RETURN)\((\w+),", text)) <= names


def test_constants_that_are_abi() -> None:
    """Against the headers of this machine's C library."""
    constants = program._CONSTANTS
    text = Path("/usr/include/linux/userfaultfd.h").read_text()
    for name, bit in (
        ("UFFD_PAGEFAULT_FLAG_WP", 1),
        ("UFFD_PAGEFAULT_FLAG_MINOR", 2),
        ("UFFD_FEATURE_SIGBUS", 7),
    ):
        assert re.search(rf"#define {name}\s+\(1\s*<<\s*{bit}\)", text)
        assert constants[name] == 1 << bit
    assert re.search(r"#define UFFD_USER_MODE_ONLY\s+1\b", text)
    assert constants["UFFD_USER_MODE_ONLY"] == 1


def test_numbers_of_the_ioctls_are_abi(tmp_path: Path) -> None:
    """Those that the C library's headers know, by the compiler; the others are made alike."""
    names = {f"UFFDIO_{op.upper()}" for op in slots.RESOLVE_OPS}
    lines = [f'#ifdef {name}\nprintf("{name} %u\\n", (unsigned){name});\n#endif' for name in names]
    source, program_ = tmp_path / "numbers.c", tmp_path / "numbers"
    source.write_text(
        "#include <stdio.h>\n#include <sys/ioctl.h>\n#include <linux/userfaultfd.h>\n"
        "int main(void)\n{\n" + "\n".join(lines) + "\n}\n"
    )
    subprocess.run(["gcc", "-o", program_, source], check=True)
    said = subprocess.run([program_], capture_output=True, text=True, check=True).stdout.split()
    known = dict(zip(said[::2], map(int, said[1::2]), strict=True))
    assert {"UFFDIO_COPY", "UFFDIO_WAKE", "UFFDIO_CONTINUE"} <= set(known)
    assert known == {name: program._CONSTANTS[name] for name in known}
    # _IOWR(0xAA, n, structure): read and write, the structure's size, the type, the number.
    assert program._CONSTANTS["UFFDIO_MOVE"] == 3 << 30 | 40 << 16 | 0xAA << 8 | 5
    assert program._CONSTANTS["UFFDIO_POISON"] == 3 << 30 | 32 << 16 | 0xAA << 8 | 8
    assert len({program._CONSTANTS[name] for name in names}) == len(names)


def test_errors_and_system_calls_are_abi() -> None:
    for name in ("EBADF", "EAGAIN", "EEXIST", "ENOTTY"):
        assert program._CONSTANTS[name] == getattr(errno, name)
    for name, header in (("SYS_IOCTL", "64"), ("SYS_IOCTL_32", "32")):
        text = Path(f"/usr/include/x86_64-linux-gnu/asm/unistd_{header}.h").read_text()
        assert re.search(rf"#define __NR_ioctl {program._CONSTANTS[name]}$", text, re.MULTILINE)
