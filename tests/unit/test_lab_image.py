# SPDX-License-Identifier: GPL-2.0-only
"""What is a kernel image, which release it is, and where its modules are."""

import gzip
import lzma
import struct
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.lab.image import read_kernel, unpack_image

RELEASE = "6.1.0-56-amd64"
ELF = b"\x7fELF" + b"\0" * 60 + struct.pack("<III", 4, 8, 18) + b"Xen\0" + b"\0" * 8


def bzimage(
    payload: bytes = b"", version: bytes = RELEASE.encode() + b" (someone@somewhere) #1 SMP\0"
) -> bytes:
    """One sector of boot code, one of setup code that ends with the version, then the payload."""
    header = bytearray(1024)
    header[0x1F1] = 1
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x20E, 0x300 - 0x200 if version else 0)
    struct.pack_into("<II", header, 0x248, 0, len(payload))
    header[0x300 : 0x300 + len(version)] = version
    return bytes(header) + payload


def write_image(directory: Path, content: bytes) -> Path:
    image = directory / "boot" / "vmlinuz"
    image.parent.mkdir()
    image.write_bytes(content)
    return image


def test_release_is_the_first_word_of_the_version(tmp_path: Path) -> None:
    kernel = read_kernel(write_image(tmp_path, bzimage()))
    assert (kernel.release, kernel.modules) == (RELEASE, None)


def test_modules_beside_the_image_are_found(tmp_path: Path) -> None:
    image = write_image(tmp_path, bzimage())
    modules = tmp_path / "lib" / "modules" / RELEASE
    modules.mkdir(parents=True)
    assert read_kernel(image).modules is None  # no modules.dep: nothing could be loaded from there
    (modules / "modules.dep").touch()
    assert read_kernel(image).modules == modules


def test_image_without_version_has_no_modules(tmp_path: Path) -> None:
    kernel = read_kernel(write_image(tmp_path, bzimage(version=b"")))
    assert (kernel.release, kernel.modules) == ("", None)


@pytest.mark.parametrize(
    "content", [b"", b"root:x:0:0\n" * 200, ELF * 30, bzimage()[:0x206]], ids=["empty", "text", "elf", "cut"]
)
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    image = write_image(tmp_path, content)
    with pytest.raises(UserError, match="is not an x86 kernel image; give a bzImage") as error:
        read_kernel(image)
    assert str(image) in str(error.value)


def vmlinux(machine: int = 62, note: bytes = ELF[64:]) -> bytes:
    """An ELF file with the kernel's banner, and the note that makes it startable."""
    header = bytearray(ELF[:64])
    struct.pack_into("<H", header, 18, machine)
    return bytes(header) + b"\0" * 960 + b"Linux version 6.1.192-lab-seed (lab@here) #1\n" + note


def test_a_vmlinux_is_an_image_and_knows_its_release(tmp_path: Path) -> None:
    assert read_kernel(write_image(tmp_path, vmlinux())).release == "6.1.192-lab-seed"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (vmlinux(note=b""), "cannot start, as it can a vmlinux built with CONFIG_PVH; give the bzImage"),
        (vmlinux(machine=183), "is not an x86 kernel image"),
    ],
    ids=["no PVH", "arm64"],
)
def test_an_elf_file_that_cannot_be_started_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_kernel(write_image(tmp_path, content))


@pytest.mark.parametrize("name", ["missing", "."])
def test_unreadable_image_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"cannot read the kernel image .*; give debian:6\.1 or the path"):
        read_kernel(tmp_path / name)


@pytest.mark.parametrize("packed", [lzma.compress(ELF), gzip.compress(ELF)], ids=["xz", "gzip"])
def test_kernel_is_unpacked(tmp_path: Path, packed: bytes) -> None:
    image = write_image(tmp_path, bzimage(packed + b"\0\0\0\0"))  # the build appends the size
    assert unpack_image(image, tmp_path / "vmlinux")
    assert (tmp_path / "vmlinux").read_bytes() == ELF


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x28\xb5\x2f\xfdzstd",
        lzma.compress(ELF)[:40],
        lzma.compress(b"no elf"),
        lzma.compress(ELF[:64]),
    ],
    ids=["empty", "zstd", "cut", "not a kernel", "no PVH"],
)
def test_kernel_that_cannot_be_started_unpacked_is_left_packed(tmp_path: Path, payload: bytes) -> None:
    assert not unpack_image(write_image(tmp_path, bzimage(payload)), tmp_path / "vmlinux")
    assert not (tmp_path / "vmlinux").exists()
