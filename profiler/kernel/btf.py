# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel's BTF, read through libbpf (a dependency of Debian's libbcc).

Layout of the records: include/uapi/linux/btf.h.
"""

import ctypes as ct
from collections.abc import Iterator
from dataclasses import dataclass

_KIND_PTR, _KIND_ARRAY, _KIND_STRUCT, _KIND_UNION, _KIND_ENUM = 2, 3, 4, 5, 6
_KIND_TYPEDEF, _KIND_VOLATILE, _KIND_CONST, _KIND_FUNC, _KIND_FUNC_PROTO = 8, 9, 10, 12, 13
_KIND_TYPE_TAG = 18
_MODIFIERS = (_KIND_TYPEDEF, _KIND_VOLATILE, _KIND_CONST, _KIND_TYPE_TAG)


class _Type(ct.Structure):
    _fields_ = (("name_off", ct.c_uint32), ("info", ct.c_uint32), ("size_or_type", ct.c_uint32))

    @property
    def kind(self) -> int:
        return int(self.info >> 24) & 0x1F

    @property
    def count(self) -> int:
        return int(self.info) & 0xFFFF

    @property
    def kind_flag(self) -> bool:
        return bool(self.info >> 31)


class _Member(ct.Structure):
    _fields_ = (("name_off", ct.c_uint32), ("type", ct.c_uint32), ("offset", ct.c_uint32))


class _Array(ct.Structure):
    _fields_ = (("type", ct.c_uint32), ("index_type", ct.c_uint32), ("nelems", ct.c_uint32))


class _Pair(ct.Structure):
    _fields_ = (("name_off", ct.c_uint32), ("value", ct.c_uint32))


@dataclass(frozen=True)
class Member:
    """Place of a structure member: ``offset`` in bytes, ``count`` elements if it is an array, else 1."""

    offset: int
    count: int


class Btf:
    """Look-ups in the BTF of vmlinux.

    :raises OSError: when libbpf is missing, or the kernel has no /sys/kernel/btf/vmlinux.
    """

    def __init__(self) -> None:
        lib = ct.CDLL("libbpf.so.1", use_errno=True)
        lib.btf__load_vmlinux_btf.restype = ct.c_void_p
        lib.btf__find_by_name_kind.argtypes = (ct.c_void_p, ct.c_char_p, ct.c_uint32)
        lib.btf__type_by_id.argtypes = (ct.c_void_p, ct.c_uint32)
        lib.btf__type_by_id.restype = ct.c_void_p
        lib.btf__raw_data.argtypes = (ct.c_void_p, ct.POINTER(ct.c_uint32))
        lib.btf__raw_data.restype = ct.c_void_p
        lib.btf__name_by_offset.argtypes = (ct.c_void_p, ct.c_uint32)
        lib.btf__name_by_offset.restype = ct.c_char_p
        # libbpf says on stderr what our own sentence says better.
        lib.libbpf_set_print(None)
        self._lib = lib
        self._btf = lib.btf__load_vmlinux_btf()
        if not self._btf:
            raise OSError(ct.get_errno(), "no BTF: /sys/kernel/btf/vmlinux cannot be read")

    def _find(self, name: str, kind: int) -> int:
        found = int(self._lib.btf__find_by_name_kind(self._btf, name.encode(), kind))
        if found < 0:
            raise KeyError(name)
        return found

    def _type(self, type_id: int) -> tuple[_Type, int]:
        address = self._lib.btf__type_by_id(self._btf, type_id)
        if not address:
            raise KeyError(type_id)
        return _Type.from_address(address), address + ct.sizeof(_Type)

    def _resolved(self, type_id: int) -> tuple[_Type, int]:
        record, tail = self._type(type_id)
        while record.kind in _MODIFIERS:
            record, tail = self._type(record.size_or_type)
        return record, tail

    def _name(self, offset: int) -> str:
        name: bytes = self._lib.btf__name_by_offset(self._btf, offset) or b""
        return name.decode()

    def raw(self) -> bytes:
        """All of it as the kernel gives it: header, records, strings."""
        size = ct.c_uint32()
        address = self._lib.btf__raw_data(self._btf, ct.byref(size))
        return ct.string_at(address, size.value) if address else b""

    def function_id(self, name: str) -> int:
        """BTF id of the kernel function.

        :raises KeyError: when BTF describes none of that name.
        """
        return self._find(name, _KIND_FUNC)

    def argument_count(self, function: str) -> int:
        """Number of parameters of the kernel function.

        :raises KeyError: when BTF describes none of that name.
        """
        record, _ = self._type(self.function_id(function))
        prototype, _ = self._type(record.size_or_type)
        return prototype.count

    def has_tracepoint(self, name: str) -> bool:
        """Whether the kernel has the raw tracepoint: a ``btf_trace_NAME`` (include/trace/bpf_probe.h)."""
        try:
            self._find(f"btf_trace_{name}", _KIND_TYPEDEF)
        except KeyError:
            return False
        return True

    def enum_value(self, enum: str, name: str) -> int:
        """Value of one name of an enum.

        :raises KeyError: when there is no such enum or name.
        """
        record, tail = self._type(self._find(enum, _KIND_ENUM))
        for pair in (_Pair * record.count).from_address(tail):
            if self._name(pair.name_off) == name:
                return int(pair.value)
        raise KeyError(name)

    def size(self, struct: str) -> int:
        """Size of the structure in bytes."""
        record, _ = self._type(self._find(struct, _KIND_STRUCT))
        return int(record.size_or_type)

    def member(self, struct: str, name: str) -> Member:
        """Where a member stands, also inside anonymous structures and unions.

        :raises KeyError: when the kernel has no such structure or member.
        """
        type_id = self._find(struct, _KIND_STRUCT)
        for found, offset, member_type in self._members(type_id, 0):
            if found == name:
                record, tail = self._resolved(member_type)
                count = _Array.from_address(tail).nelems if record.kind == _KIND_ARRAY else 1
                return Member(offset, int(count))
        raise KeyError(f"{struct}.{name}")

    def _members(self, type_id: int, base: int) -> Iterator[tuple[str, int, int]]:
        record, tail = self._resolved(type_id)
        if record.kind not in (_KIND_STRUCT, _KIND_UNION):
            return
        for member in (_Member * record.count).from_address(tail):
            bits = member.offset & 0xFFFFFF if record.kind_flag else member.offset
            offset = base + bits // 8
            name = self._name(member.name_off)
            if name:
                yield name, offset, member.type
            else:
                yield from self._members(member.type, offset)
