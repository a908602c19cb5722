# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that QEMU can start: its image, its release, and the directory of its modules."""

import mmap
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import UserError
from profiler.lab.packed import unpack

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

_ELF = b"\x7fELF"
_MACHINE_AT = 18  # elf(5): e_machine
_X86_64 = 62
# linux_banner in init/version.c
_BANNER = re.compile(rb"Linux version ([\w.+~-]+) \(")
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
    """Describe the bzImage or vmlinux at ``image``.

    Modules are looked for beside it, then where the machine has them.

    :raises UserError: not readable, or nothing that QEMU can start.
    """
    try:
        with image.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            if header.startswith(_ELF):
                release = _vmlinux_release(image, header, file.fileno())
            else:
                release = _bzimage_release(image, header)
    except OSError as error:
        raise UserError(
            f"cannot read the kernel image {image}: {error.strerror}; "
            "give debian:6.1 or the path of a bzImage"
        ) from error
    return Kernel(image.resolve(), release, _find_modules(image.resolve(), release))


def _vmlinux_release(image: Path, header: bytes, descriptor: int) -> str:
    if len(header) < _SHORTEST or int.from_bytes(header[_MACHINE_AT : _MACHINE_AT + 2], "little") != _X86_64:
        raise _no_image(image)
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        if not _PVH_NOTE.search(content):
            raise UserError(
                f"{image} is an ELF file that QEMU cannot start, as it can a vmlinux built with CONFIG_PVH; "
                "give the bzImage of the same build"
            )
        banner = _BANNER.search(content)
        return banner[1].decode() if banner else ""


def _bzimage_release(image: Path, header: bytes) -> str:
    """Return the first word of the version text that the boot header points to, ``""`` if there is none."""
    if header[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC or len(header) < _SHORTEST:
        raise _no_image(image)
    (pointer,) = struct.unpack_from("<H", header, _VERSION_POINTER_AT)
    start = pointer + _VERSION_POINTER_BASE
    text = header[start : start + _LONGEST_VERSION].split(b"\0")[0].decode("ascii", "replace")
    found = re.match(r"[\w.+~-]+", text)
    return found.group() if pointer and found else ""


def _no_image(image: Path) -> UserError:
    return UserError(
        f"{image} is not an x86 kernel image; give a bzImage (arch/x86/boot/bzImage) or a vmlinuz"
    )


def kernel_in(directory: Path, modules_expected: bool = True) -> Kernel:
    """Return the kernel of a directory of the cache: ``boot/vmlinuz-*``, or what was unpacked beside it.

    :param modules_expected: False while the directory is being made.
    :raises UserError: there is none, or no modules for it.
    """
    images = list((directory / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise UserError(f"{directory} holds no kernel image; delete it, and it will be made again")
    kernel = read_kernel(images[0])
    if modules_expected and kernel.modules is None:
        raise UserError(
            f"{directory} holds no modules for {kernel.release}; delete it, and it will be made again"
        )
    unpacked = unpacked_image(kernel.image)
    return replace(kernel, image=unpacked) if unpacked.exists() else kernel


def unpacked_image(image: Path) -> Path:
    """Return where the kernel inside ``boot/vmlinuz-RELEASE`` is kept: ``boot/vmlinux-RELEASE``."""
    return image.with_name(image.name.replace("vmlinuz-", "vmlinux-"))


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

    :return: False, and nothing written, when the kernel cannot be unpacked here, or cannot be started so
        (``CONFIG_PVH``); then the bzImage is to be started itself.
    """
    kernel = kernel_inside(image)
    if kernel is None or not _PVH_NOTE.search(kernel):
        return False
    target.write_bytes(kernel)
    return True


def kernel_inside(image: Path) -> bytes | None:
    """Return the ELF file that ``image`` is, or has in it; None when it cannot be unpacked."""
    content = image.read_bytes()
    if content.startswith(_ELF):
        return content
    setup_sectors = content[_SETUP_SECTORS_AT] or 4
    offset, length = struct.unpack_from("<II", content, _PAYLOAD_AT)
    start = (setup_sectors + 1) * 512 + offset
    kernel = unpack(content[start : start + length])
    return kernel if kernel is not None and kernel.startswith(_ELF) else None
