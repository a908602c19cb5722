# SPDX-License-Identifier: GPL-2.0-only
"""What BCC makes of the C side: instructions and the maps that they use, free of the process that compiled.

Imported by nobody but the attaching child; BCC compiles, and everything after it starts from here.
"""

import ctypes as ct
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# include/uapi/linux/bpf.h: struct bpf_insn, and the load of a 64-bit constant that is a map.
_INSTRUCTION = struct.Struct("<BBhi")
_LD_IMM64 = 0x18
_PSEUDO_MAP_FD = 1


@dataclass(frozen=True)
class Map:
    """One map as it has to be created. ``kind``: enum bpf_map_type; ``flags``: of map creation."""

    name: str
    kind: int
    key_bytes: int
    value_bytes: int
    entries: int
    flags: int


@dataclass(frozen=True)
class Compiled:
    """``programs``: name → instructions, in which the load of a map holds the map's index in ``maps``."""

    maps: tuple[Map, ...]
    programs: Mapping[str, bytes]
    license: str
    kernel_version: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"programs": {name: code.hex() for name, code in self.programs.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Compiled":
        """The reverse of :meth:`to_json`.

        :raises (KeyError, TypeError, ValueError): of anything else.
        """
        programs = {str(name): bytes.fromhex(code) for name, code in data["programs"].items()}
        maps = tuple(Map(**one) for one in data["maps"])
        return cls(maps, programs, str(data["license"]), int(data["kernel_version"]))


def with_maps(code: bytes, numbers: Mapping[int, int]) -> bytes:
    """Instructions with other numbers in the loads of maps.

    :param numbers: number that stands there → number that shall.
    :raises KeyError: when a load has a number that is not among them.
    """
    changed = bytearray(code)
    for at in range(0, len(code), _INSTRUCTION.size):
        opcode, registers, offset, immediate = _INSTRUCTION.unpack_from(code, at)
        if opcode == _LD_IMM64 and registers >> 4 == _PSEUDO_MAP_FD:
            _INSTRUCTION.pack_into(changed, at, opcode, registers, offset, numbers[immediate])
    return bytes(changed)


def compile_source(source: str, options: Sequence[str]) -> Compiled:
    """Let BCC compile.

    :raises Exception: of BCC's own, when the source does not compile; the compiler has spoken on stderr.
    """
    import bcc

    class Module(bcc.BPF):  # type: ignore[misc]
        def _trace_autoload(self) -> None:
            """Attach nothing by function name: module.py does it, and sees each failure."""

    module = Module(text=source.encode(), cflags=list(options))
    try:
        return _taken_from(bcc.libbcc.lib, module.module)
    finally:
        module.cleanup()


def _taken_from(lib: Any, module: int) -> Compiled:
    lib.bpf_table_fd_id.argtypes = lib.bpf_table_key_size_id.argtypes = [ct.c_void_p, ct.c_ulonglong]
    lib.bpf_table_leaf_size_id.argtypes = lib.bpf_table_name.argtypes = [ct.c_void_p, ct.c_ulonglong]
    lib.bpf_table_key_size_id.restype = lib.bpf_table_leaf_size_id.restype = ct.c_size_t
    lib.bpf_table_name.restype = ct.c_char_p
    tables = range(lib.bpf_num_tables(module))
    maps = tuple(
        Map(
            lib.bpf_table_name(module, table).decode(),
            lib.bpf_table_type_id(module, table),
            lib.bpf_table_key_size_id(module, table),
            lib.bpf_table_leaf_size_id(module, table),
            lib.bpf_table_max_entries_id(module, table),
            lib.bpf_table_flags_id(module, table),
        )
        for table in tables
    )
    index_of = {int(lib.bpf_table_fd_id(module, table)): table for table in tables}
    names = [lib.bpf_function_name(module, index) for index in range(lib.bpf_num_functions(module))]
    programs = {
        name.decode(): with_maps(
            ct.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name)), index_of
        )
        for name in names
    }
    return Compiled(
        maps, programs, lib.bpf_module_license(module).decode(), lib.bpf_module_kern_version(module)
    )
