# SPDX-License-Identifier: GPL-2.0-only
"""bpf(2), as far as it is needed here: maps, programs, and the two kinds that hang on no perf event.

Commands, kinds and the layout of ``union bpf_attr``: include/uapi/linux/bpf.h. What a kernel does not know of
a layout may be given to it as long as it is 0 (kernel/bpf/syscall.c: bpf_check_uarg_tail_zero).
"""

import ctypes as ct
import errno
import os
import struct
from typing import Literal

_LIBC = ct.CDLL(None, use_errno=True)
_SYS_BPF = 321  # arch/x86/entry/syscalls/syscall_64.tbl
_MAP_CREATE, _MAP_UPDATE_ELEM, _MAP_DELETE_ELEM, _PROG_LOAD, _RAW_TRACEPOINT_OPEN = 0, 2, 3, 5, 17

ProgramType = Literal["kprobe", "perf_event", "raw_tracepoint", "tracing"]
_PROGRAM_TYPES = {"kprobe": 2, "perf_event": 7, "raw_tracepoint": 17, "tracing": 26}
TRACE_FENTRY, TRACE_FEXIT = 24, 25
"""enum bpf_attach_type, of programs of type ``tracing``."""

INSTRUCTION_BYTES = 8
RETURN_0 = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
"""The least program: r0 = 0; exit."""

_LOG_BYTES = (1 << 24) - 1  # as much as any kernel takes (kernel/bpf/verifier.c: bpf_verifier_log_attr_valid)
_ATTEMPTS = 5
_NAME_BYTES = 15  # BPF_OBJ_NAME_LEN, without its end


def create_map(name: str, kind: int, key_bytes: int, value_bytes: int, entries: int, flags: int) -> int:
    """Descriptor of a new map.

    :param kind: enum bpf_map_type.
    :raises OSError: the kernel refuses it.
    """
    sizes = (kind, key_bytes, value_bytes, entries, flags)
    return _call(_MAP_CREATE, struct.pack("<7I16s", *sizes, 0, 0, _name(name)))


def update(map_fd: int, key: int | None, value: int) -> None:
    """Set one element of 32 bits; a queue has no keys.

    :raises OSError: the map takes no more.
    """
    place, content = ct.c_uint32(key or 0), ct.c_uint32(value)
    where = 0 if key is None else ct.addressof(place)
    _call(_MAP_UPDATE_ELEM, struct.pack("<IIQQQ", map_fd, 0, where, ct.addressof(content), 0))


def delete(map_fd: int, key: int) -> None:
    """Remove one element with a key of 32 bits.

    :raises OSError: there is none (ENOENT).
    """
    place = ct.c_uint32(key)
    _call(_MAP_DELETE_ELEM, struct.pack("<IIQQQ", map_fd, 0, ct.addressof(place), 0, 0))


def load_program(
    kind: ProgramType,
    name: str,
    code: bytes,
    licence: str = "GPL",
    kernel_version: int = 0,
    traces: tuple[int, int] = (0, 0),
) -> int:
    """Descriptor of a program that the verifier has accepted.

    :param traces: of ``tracing`` alone: :data:`TRACE_FENTRY` or :data:`TRACE_FEXIT`, and the BTF id of the
        kernel function.
    :raises OSError: the kernel refuses it; the message ends with the verifier's last words, if it had any.
    """
    instructions, gpl = ct.create_string_buffer(code, len(code)), ct.create_string_buffer(licence.encode())
    attach_type, function = traces

    def load(log: "ct.Array[ct.c_char] | None") -> int:
        said = (1, len(log), ct.addressof(log)) if log else (0, 0, 0)
        head = (_PROGRAM_TYPES[kind], len(code) // INSTRUCTION_BYTES, ct.addressof(instructions))
        # Behind the name stands what only other programs need.
        tail = (0, attach_type, 0, 0, 0, 0, 0, 0, 0, function)
        fields = (*head, ct.addressof(gpl), *said, kernel_version, 0, _name(name), *tail)
        return _call(_PROG_LOAD, struct.pack("<IIQQIIQII16sIIIIQIIQII", *fields))

    for _ in range(_ATTEMPTS):
        try:
            return load(None)
        except BlockingIOError as error:  # a signal came while it was verified
            refusal: OSError = error
        except OSError as error:
            refusal = error
            break
    # Once more for the reason: to write a log costs time that an accepted program does not spend.
    log = ct.create_string_buffer(_LOG_BYTES)
    try:
        return load(log)
    except OSError as error:
        words = [refusal.strerror or "refused"]
        if error.errno == refusal.errno:  # else, of a log that is full, the last words are no reason
            words += _last_words(log.value.decode(errors="replace"))
        raise OSError(refusal.errno, ": ".join(words)) from error


def attach(program_fd: int, tracepoint: str = "") -> int:
    """Descriptor of what holds a program at a raw tracepoint; without one, at the function that it traces.

    :raises OSError: the kernel refuses it.
    """
    name = ct.create_string_buffer(tracepoint.encode())
    return _call(
        _RAW_TRACEPOINT_OPEN, struct.pack("<QII", ct.addressof(name) if tracepoint else 0, program_fd, 0)
    )


def error_name(error: OSError) -> str:
    """Such as EPERM; one of the kernel's own comes out of bpf(2) too (include/linux/errno.h)."""
    number = error.errno or 0
    return "ENOTSUPP" if number == 524 else errno.errorcode.get(number, str(number))


def _call(command: int, attributes: bytes) -> int:
    attr = ct.create_string_buffer(attributes, len(attributes))
    found = int(_LIBC.syscall(_SYS_BPF, command, ct.byref(attr), len(attributes)))
    if found < 0:
        raise OSError(ct.get_errno(), os.strerror(ct.get_errno()))
    return found


def _name(name: str) -> bytes:
    return name.encode()[:_NAME_BYTES]


def _last_words(log: str) -> list[str]:
    """The line that says why, if there is one; after it comes how much was verified."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("processed ", "verification time", "stack depth"))]
    return said[-1:]
