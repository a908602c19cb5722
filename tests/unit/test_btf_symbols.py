# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel's BTF against a reading of our own, and kallsyms against a file."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pytest

from profiler.kernel import abilities, layout
from profiler.kernel.btf import Btf, Member
from profiler.kernel.symbols import Symbols

VMLINUX = Path("/sys/kernel/btf/vmlinux")


@dataclass(frozen=True)
class Type:
    name: str
    kind: int
    flag: bool
    size: int
    body: tuple[tuple[int, ...], ...]


class Independent:
    """A second reader of the BTF format (Documentation/bpf/btf.rst), which shares nothing with ours."""

    EXTRA: ClassVar = {1: 4, 3: 12, 14: 4, 17: 4}  # bytes behind a record: INT, ARRAY, VAR, DECL_TAG
    EACH: ClassVar = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}  # and for each of its elements

    def __init__(self) -> None:
        data = VMLINUX.read_bytes()
        _, _, _, header, type_off, type_len, str_off, str_len = struct.unpack_from("<HBBIIIII", data)
        self.strings = data[header + str_off :][:str_len]
        self.types = [Type("void", 0, False, 0, ())]
        position, end = header + type_off, header + type_off + type_len
        while position < end:
            name, info, size = struct.unpack_from("<III", data, position)
            kind, count, position = info >> 24 & 31, info & 0xFFFF, position + 12
            each = self.EACH.get(kind, 0)
            length = self.EXTRA.get(kind, 0) + count * each
            step = each or 12
            body: tuple[tuple[int, ...], ...] = ()
            if kind in (3, 4, 5, 6):
                chunk = data[position : position + length]
                body = tuple(struct.iter_unpack(f"<{step // 4}I", chunk))
            elif kind == 13:
                body = ((),) * count
            position += length
            self.types.append(Type(self.text(name), kind, bool(info >> 31), size, body))

    def text(self, offset: int) -> str:
        return self.strings[offset : self.strings.index(b"\0", offset)].decode()

    @cached_property
    def named(self) -> dict[tuple[int, str], Type]:
        found: dict[tuple[int, str], Type] = {}
        for one in self.types:
            found.setdefault((one.kind, one.name), one)
        return found

    def members(
        self, owner: Type, base: int = 0, nested: bool = False
    ) -> Iterator[tuple[str, int, int, bool]]:
        """Name, offset in bytes, type, and whether an anonymous member held it."""
        for name_off, type_id, bits in owner.body:
            offset = base + (bits & 0xFFFFFF if owner.flag else bits) // 8
            name = self.text(name_off)
            if name:
                yield name, offset, type_id, nested
                continue
            inner = self.types[type_id]
            while inner.kind in (8, 9, 10, 18):
                inner = self.types[inner.size]
            yield from self.members(inner, offset, True)


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf()


@pytest.fixture(scope="module")
def independent() -> Independent:
    return Independent()


_TREES = (layout._MAPLE_MEMBERS, layout._RB_MEMBERS)


@pytest.mark.parametrize("key", [*layout._MEMBERS, *_TREES[0], *_TREES[1]])
def test_offsets_that_the_programs_use(btf: Btf, independent: Independent, key: str) -> None:
    found = layout.offsets(btf) | layout.tree_of_vmas(btf)
    (absent,) = (tree for tree in _TREES if not any(f"OFF_{member}" in found for member in tree))
    if key in absent:  # a kernel keeps its VMAs in one of the two
        return
    places = {
        name: offset for name, offset, _, _ in independent.members(independent.named[4, key.split("__")[0]])
    }
    alternatives = (layout._MEMBERS | _TREES[0] | _TREES[1])[key]
    assert found[f"OFF_{key}"] == next(places[name] for name in alternatives if name in places)


@pytest.mark.parametrize("name", ["vm_area_struct", "task_struct", "page", "mm_struct", "inode", "sock"])
def test_every_member_of_a_structure(btf: Btf, independent: Independent, name: str) -> None:
    first: dict[str, int] = {}
    anonymous = set()
    for member, offset, _, nested in independent.members(independent.named[4, name]):
        first.setdefault(member, offset)
        if nested:
            anonymous.add(member)
    assert {member: btf.member(name, member).offset for member in first} == first
    assert btf.size(name) == independent.named[4, name].size
    if name in ("vm_area_struct", "page", "mm_struct", "inode"):
        assert anonymous


@pytest.mark.parametrize(
    ("struct_name", "size"),
    [
        # Sizes that are ABI: include/uapi.
        ("iovec", 16),
        ("pollfd", 8),
        ("uffd_msg", 32),
        ("uffdio_copy", 40),
        ("list_head", 16),
    ],
)
def test_sizes_that_are_abi(btf: Btf, struct_name: str, size: int) -> None:
    assert btf.size(struct_name) == size


def test_members_that_are_abi(btf: Btf) -> None:
    assert btf.member("uffd_msg", "event") == Member(0, 1)
    assert btf.member("uffd_msg", "arg") == Member(8, 1)
    assert btf.member("iovec", "iov_len") == Member(8, 1)
    assert btf.member("pollfd", "revents") == Member(6, 1)


def test_an_array_has_its_number_of_elements(btf: Btf) -> None:
    assert btf.member("task_struct", "comm").count == 16  # TASK_COMM_LEN
    assert btf.member("task_struct", "pid").count == 1


def test_functions(btf: Btf, independent: Independent) -> None:
    assert btf.argument_count("handle_mm_fault") == 4
    assert btf.argument_count("handle_userfault") == 2
    function = independent.named[12, "do_swap_page"]
    assert btf.argument_count("do_swap_page") == len(independent.types[function.size].body) == 1
    assert independent.types[btf.function_id("do_swap_page")].name == "do_swap_page"


def test_enums(btf: Btf, independent: Independent) -> None:
    values = {independent.text(n): v for n, v in independent.named[6, "pid_type"].body}
    assert values
    for name, value in values.items():
        assert btf.enum_value("pid_type", name) == value


def test_tracepoints(btf: Btf) -> None:
    for name in ("page_fault_user", "sched_switch", "sched_process_exit"):
        assert btf.has_tracepoint(name)
    assert not btf.has_tracepoint("no_such_tracepoint")


def test_what_is_unknown_is_a_key_error(btf: Btf) -> None:
    for look_up in (
        lambda: btf.member("task_struct", "no_such_member"),
        lambda: btf.member("no_such_struct", "pid"),
        lambda: btf.size("no_such_struct"),
        lambda: btf.function_id("no_such_function"),
        lambda: btf.argument_count("no_such_function"),
        lambda: btf.enum_value("pid_type", "no_such_name"),
        lambda: btf.enum_value("no_such_enum", "PIDTYPE_PID"),
        # A name exists, but not as this kind.
        lambda: btf.function_id("task_struct"),
        lambda: btf.size("handle_mm_fault"),
    ):
        with pytest.raises(KeyError):
            look_up()


def test_a_member_that_the_kernel_lacks_is_named(btf: Btf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layout._MEMBERS, "vm_fault__nonesuch", ("nonesuch", "nor_this"))
    with pytest.raises(layout.MissingMemberError, match="struct vm_fault has no member nonesuch"):
        layout.offsets(btf)


def test_an_older_name_of_a_member_is_found(btf: Btf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layout._MEMBERS, "task_struct__state", ("no_such_name", "tgid"))
    assert layout.offsets(btf)["OFF_task_struct__state"] == btf.member("task_struct", "tgid").offset


def test_the_maple_nodes_are_as_the_walk_knows_them(btf: Btf) -> None:
    found = layout.tree_of_vmas(btf)
    # include/linux/maple_tree.h, 64 bit: 16 and 10 slots.
    assert (found["MAPLE_RANGE_64_PIVOTS"], found["MAPLE_ARANGE_64_PIVOTS"]) == (15, 9)
    assert found["MAPLE_LEAF_64"] != found["MAPLE_ARANGE_64"]


KALLSYMS = """\
ffffffff81000000 T once
ffffffff81000010 t twice
ffffffff81000020 t twice
0000000000000000 T hidden
ffffffff81000030 T in_both
ffffffffc0000000 t in_both\t[ext4]
ffffffffc0000010 t only_module\t[ext4]
ffffffff81000040 T once_more
ffffffff81000050 t once.cold
ffffffff81000060 T last
"""


@pytest.fixture
def symbols(tmp_path: Path) -> Symbols:
    path = tmp_path / "kallsyms"
    path.write_text(KALLSYMS)
    return Symbols({"once", "twice", "hidden", "in_both", "only_module", "absent", "last"}, path)


@pytest.mark.parametrize(
    ("name", "count", "address"),
    [
        ("once", 1, 0xFFFFFFFF81000000),
        ("twice", 2, None),
        ("hidden", 1, None),
        ("in_both", 1, 0xFFFFFFFF81000030),
        ("only_module", 0, None),
        ("absent", 0, None),
        ("last", 1, 0xFFFFFFFF81000060),
    ],
)
def test_symbols(symbols: Symbols, name: str, count: int, address: int | None) -> None:
    assert symbols.count(name) == count
    assert symbols.address(name) == address


def test_a_symbol_that_nobody_wanted_is_a_mistake(symbols: Symbols) -> None:
    with pytest.raises(KeyError):
        symbols.count("once_more")


def test_why_a_function_cannot_be_probed(symbols: Symbols) -> None:
    assert abilities.unattachable(symbols, "once") is None
    assert abilities.unattachable(symbols, "absent") == (
        "absent is not a symbol of this kernel (inlined, or not built)"
    )
    assert abilities.unattachable(symbols, "twice") == "twice names 2 functions of this kernel"
    # Attaching goes by name: that its address is hidden does not matter.
    assert abilities.unattachable(symbols, "hidden") is None


def test_symbols_of_the_running_kernel() -> None:
    found = Symbols({"handle_mm_fault", "no_such_function"})
    assert found.count("handle_mm_fault") == 1
    assert found.count("no_such_function") == 0


@pytest.mark.parametrize(
    ("possible", "online", "number", "cpus"),
    [
        ("0-1", "0-1", 2, (0, 1)),
        ("0", "0", 1, (0,)),
        ("0-3,8-11", "0,2-3,8", 12, (0, 2, 3, 8)),
        ("0,7", "7", 8, (7,)),
    ],
)
def test_cpus(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    possible: str,
    online: str,
    number: int,
    cpus: tuple[int, ...],
) -> None:
    (tmp_path / "possible").write_text(possible + "\n")
    (tmp_path / "online").write_text(online + "\n")
    monkeypatch.setattr(abilities, "_CPUS", tmp_path)
    assert abilities.possible_cpus() == number
    assert abilities.online_cpus() == cpus
