# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that QEMU can start: its image, its release, and the directory of its modules."""

import lzma
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import UserError

# Offsets of the x86 boot protocol (Documentation/arch/x86/boot.rst in the kernel's source).
_MAGIC_AT = 0x202
_MAGIC = b"HdrS"
_VERSION_POINTER_AT = 0x20E
_VERSION_POINTER_BASE = 0x200
_SETUP_SECTORS_AT = 0x1F1
_PAYLOAD_AT = 0x248
_HEADER_BYTES = 0x10000
_LONGEST_VERSION = 256
_SHORTEST = 0x400  # the setup code before the kernel is never shorter

_XZ = b"\xfd7zXZ\0"
_GZIP = b"\x1f\x8b"
_ELF = b"\x7fELF"
# The note that makes an ELF kernel startable: name "Xen" of 4 bytes, value of 8 or 4 bytes, type 18.
_PVH_NOTE = re.compile(rb"\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0")


@dataclass(frozen=True)
class Kernel:
    """A bootable kernel.

    :param image: the bzImage, or the ELF file from inside it.
    :param release: what ``uname -r`` will say in the guest, such as ``6.1.0-56-amd64``.
    :param modules: the directory with ``modules.dep``, or None when everything must be built in.
    """

    image: Path
    release: str
    modules: Path | None


def read_kernel(image: Path) -> Kernel:
    """Describe the bzImage at ``image``; modules are looked for beside it, then where the machine has them.

    :raises UserError: not readable, or not a bzImage.
    """
    try:
        with image.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise UserError(
            f"cannot read the kernel image {image}: {error.strerror}; "
            "give debian:6.1 or the path of a bzImage"
        ) from error
    if header[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC or len(header) < _SHORTEST:
        raise UserError(
            f"{image} is not an x86 kernel image; give a bzImage (arch/x86/boot/bzImage) or a vmlinuz"
        )
    release = _release(header)
    return Kernel(image.resolve(), release, _find_modules(image.resolve(), release))


def _release(header: bytes) -> str:
    """Return the first word of the version text that the boot header points to, ``""`` if there is none."""
    (pointer,) = struct.unpack_from("<H", header, _VERSION_POINTER_AT)
    start = pointer + _VERSION_POINTER_BASE
    text = header[start : start + _LONGEST_VERSION].split(b"\0")[0].decode("ascii", "replace")
    found = re.match(r"[\w.+~-]+", text)
    return found.group() if pointer and found else ""


def _find_modules(image: Path, release: str) -> Path | None:
    """Return the module directory: beside the image (``boot/`` next to ``lib/``), or in ``/lib/modules``."""
    if not release:
        return None
    for root in (image.parent.parent, Path("/")):
        modules = root / "lib" / "modules" / release
        if (modules / "modules.dep").is_file():
            return modules
    return None


def unpack_image(image: Path, target: Path) -> bool:
    """Write the kernel inside the bzImage ``image`` as the ELF file ``target``, which QEMU starts directly.

    The guest need not decompress itself then: with Debian's xz that is 3.5 s of a boot of 6 s, emulated. Nor
    does it choose a random address for its text: nothing that we measure depends on it.

    :return: False, and nothing written, when the kernel is packed by other means than xz or gzip, or cannot
        be started so (``CONFIG_PVH``); then the bzImage is to be started itself.
    """
    content = image.read_bytes()
    setup_sectors = content[_SETUP_SECTORS_AT] or 4
    offset, length = struct.unpack_from("<II", content, _PAYLOAD_AT)
    start = (setup_sectors + 1) * 512 + offset
    payload = content[start : start + length]
    try:
        if payload.startswith(_XZ):
            kernel = lzma.LZMADecompressor().decompress(payload)
        elif payload.startswith(_GZIP):
            kernel = zlib.decompressobj(wbits=31).decompress(payload)
        else:
            return False
    except (lzma.LZMAError, zlib.error):
        return False
    if not kernel.startswith(_ELF) or not _PVH_NOTE.search(kernel):
        return False
    target.write_bytes(kernel)
    return True
