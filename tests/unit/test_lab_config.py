# SPDX-License-Identifier: GPL-2.0-only
"""How a kernel was configured, wherever that is written, and what it lacks for us."""

import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from profiler.errors import Exit, UserError
from profiler.lab import kernel_config, requirements
from profiler.lab.image import Kernel, read_kernel
from tests.unit.test_lab_image import RELEASE, bzimage

TEXT = 'CONFIG_SMP=y\nCONFIG_9P_FS=m\n# CONFIG_KPROBES is not set\nCONFIG_LSM="a,b"\nCONFIG_HZ=250\n'
PARSED = {"SMP": "y", "9P_FS": "m", "KPROBES": "n", "LSM": '"a,b"', "HZ": "250"}


def image(tmp_path: Path, payload: bytes = b"") -> Kernel:
    path = tmp_path / "boot" / f"vmlinuz-{RELEASE}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bzimage(payload))
    return read_kernel(path)


def test_options_that_differ_are_named() -> None:
    config = kernel_config.parse_config(TEXT)
    assert config == PARSED
    assert kernel_config.differing({"SMP": "y", "KPROBES": "n", "NEW": "n"}, config) == []
    assert kernel_config.differing({"SMP": "n", "9P_FS": "y", "NEW": "y"}, config) == [
        "CONFIG_SMP=n",
        "CONFIG_9P_FS=y",
        "CONFIG_NEW=y",
    ]


def with_size(content: bytes, packed: bytes) -> bytes:
    """What the kernel's build appends for all but gzip."""
    return packed + struct.pack("<I", len(content))


def by_tool(*command: str) -> ParameterSet:
    missing = shutil.which(command[0]) is None

    def pack(content: bytes) -> bytes:
        done = subprocess.run(command, input=content, capture_output=True, check=True)
        return with_size(content, done.stdout)

    return pytest.param(
        pack, id=command[0], marks=pytest.mark.skipif(missing, reason=f"apt-get install {command[0]}")
    )


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lambda content: with_size(content, lzma.compress(content)), id="xz"),
        pytest.param(
            lambda content: with_size(content, lzma.compress(content, lzma.FORMAT_ALONE)), id="lzma"
        ),
        pytest.param(lambda content: with_size(content, bz2.compress(content)), id="bzip2"),
        by_tool("zstd", "-c"),
        by_tool("lz4", "-lc"),
    ],
)
def test_a_configuration_inside_the_image_is_found(tmp_path: Path, pack: object) -> None:
    elf = b"\x7fELF" + b"\0" * 100 + b"IKCFG_ST" + gzip.compress(TEXT.encode()) + b"IKCFG_ED" + b"\0" * 9
    assert callable(pack)
    assert kernel_config.configuration(image(tmp_path, pack(elf))) == PARSED
    assert kernel_config.configuration(image(tmp_path, pack(elf.replace(b"IKCFG_ST", b"")))) is None
    assert kernel_config.configuration(image(tmp_path, pack(elf)[:60])) is None


def test_a_configuration_beside_the_image_is_found(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    assert kernel_config.configuration(kernel) is None
    (kernel.image.parent / "config-6.6.6").write_text(TEXT)
    assert kernel_config.configuration(kernel) is None
    (kernel.image.parent / f"config-{RELEASE}").write_text(TEXT)
    assert kernel_config.configuration(kernel) == PARSED


def test_a_file_that_is_no_configuration_is_no_proof_of_lack(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    (kernel.image.parent / f"config-{RELEASE}").write_bytes(b"\xff\0 nothing")
    assert kernel_config.configuration(kernel) is None


def test_in_a_build_tree_the_configuration_counts_until_it_is_changed(tmp_path: Path) -> None:
    built = tmp_path / "arch" / "x86" / "boot"
    built.mkdir(parents=True)
    (built / "bzImage").write_bytes(bzimage())
    config = tmp_path / ".config"
    config.write_text(TEXT)
    os.utime(config, (1, 1))
    kernel = read_kernel(built / "bzImage")
    assert kernel_config.configuration(kernel) == PARSED
    os.utime(config, (2**32, 2**32))
    assert kernel_config.configuration(kernel) is None


def full(**changed: str) -> kernel_config.Configuration:
    wanted = [*requirements._TO_BOOT, *requirements._TO_USE]
    return dict.fromkeys(wanted, "y") | {name.removeprefix("_"): value for name, value in changed.items()}


def test_a_kernel_that_cannot_boot_here_is_told_all_it_lacks(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    requirements.require_bootable(kernel, full())
    without = full(_9P_FS="n")
    del without["VIRTIO_PCI"]
    with pytest.raises(
        UserError, match=r"built without CONFIG_VIRTIO_PCI, CONFIG_9P_FS; switch them on"
    ) as error:
        requirements.require_bootable(kernel, without)
    assert error.value.code == Exit.CANNOT_TELL


def test_modules_are_as_good_as_built_in_if_they_are_there(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    with pytest.raises(UserError, match=rf"has CONFIG_9P_FS as modules, which .*/lib/modules/{RELEASE} "):
        requirements.require_bootable(kernel, full(_9P_FS="m"))
    modules = tmp_path / "lib" / "modules" / RELEASE
    modules.mkdir(parents=True)
    (modules / "modules.dep").touch()
    requirements.require_bootable(read_kernel(kernel.image), full(_9P_FS="m"))


def test_what_will_be_missed_is_said_with_what_is_lost() -> None:
    assert list(requirements.lost(full())) == []
    assert list(requirements.lost(full(BPF_SYSCALL="n", DEBUG_INFO_BTF="n", KPROBE_EVENTS="n"))) == [
        "without CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF nothing can be profiled",
        "without CONFIG_KPROBE_EVENTS no hook can be reached by kprobe",
    ]
