# SPDX-License-Identifier: GPL-2.0-only
"""Kernels built from Debian's 6.1 source, with and without a gate before fault-around, one patch apart.

In the cache a kernel is a directory like ``kernels/lab-seed-0123456789ab``: the name of the variant, and a
hash of all that goes in. Once there it is used without asking the network. ``kernel-build`` has what the
next build can use, and may be deleted, as may kernels of an older hash.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from profiler.errors import UserError
from profiler.lab.apt import must
from profiler.lab.build_tools import require_build_tools, toolchain
from profiler.lab.cache import cache_directory, directory_lock, disk_full_is_said, replace_directory
from profiler.lab.image import Kernel, kernel_in, unpack_image, unpacked_image
from profiler.lab.kernel_build import BuildTree
from profiler.lab.kernel_patches import patch_source
from profiler.lab.kernel_source import known_version, source_tree
from profiler.lab.progress import Progress

PREFIX = "lab:"

VARIANTS = {
    "mainline": ("noinline",),
    "seed": ("noinline", "ungated", "seed"),
    "ungated": ("noinline", "ungated"),
}
"""Name after ``lab:`` → its patches, in ``kernel/``, in the order they are applied."""

_FILES = Path(__file__).with_name("kernel")
_FRAGMENT = _FILES / "base.config"
_RECIPE = "1"  # to be raised when the steps here change what comes out


def built_kernel(name: str) -> Kernel:
    """Return the kernel ``name``, such as ``seed``; see :func:`built_kernels`."""
    return built_kernels([name])[0]


def built_kernels(names: Iterable[str] = VARIANTS) -> list[Kernel]:
    """Return the kernels ``names``, by default all; what the cache lacks is built, one after the other.

    :raises UserError: unknown name; no source, network or tool; a build that fails; no room on the disk.
    """
    names = list(names)
    for name in names:
        if name not in VARIANTS:
            known = ", ".join(PREFIX + known for known in VARIANTS)
            raise UserError(f"unknown kernel {PREFIX}{name}; give {known}, or the path of a bzImage")
    tools, version = toolchain(), known_version()
    missing = [name for name in names if version is None or not _directory(name, version, tools).is_dir()]
    if missing:
        require_build_tools()
        with disk_full_is_said(), Progress(_note(missing)) as progress:
            version = _build(missing, tools, progress)
    assert version is not None  # noqa: S101
    return [kernel_in(_directory(name, version, tools)) for name in names]


def _note(missing: list[str]) -> str:
    wanted = ", ".join(PREFIX + name for name in missing)
    return f"building {wanted}: the first time about 10 minutes on 2 CPUs, half a minute for another variant"


def _build(names: list[str], tools: str, progress: Progress) -> str:
    """Build ``names`` into the cache; return the version of the source."""
    build = cache_directory() / "kernel-build"
    with directory_lock(build) as lock:
        source = source_tree(build, progress.say)
        tree = BuildTree(build, source, lock, progress)
        for name in names:
            target = _directory(name, source.version, tools)
            if target.is_dir():  # another process made it while we waited
                continue
            tree.configure(_FRAGMENT, _hash(source.version, tools))
            patch_source(source.directory, _patches(name))
            release = tree.build(name, jobs=len(os.sched_getaffinity(0)))
            with directory_lock(target.parent), replace_directory(target) as unfinished:
                _install(tree.objects, release, unfinished)
    return source.version


def _install(objects: Path, release: str, target: Path) -> None:
    """Put what was built where a Debian package has it. Modules there are none, but modprobe has to know."""
    boot, modules = target / "boot", target / "lib" / "modules" / release
    boot.mkdir()
    modules.mkdir(parents=True)
    for built, name in (
        ("arch/x86/boot/bzImage", "vmlinuz"),
        ("System.map", "System.map"),
        (".config", "config"),
    ):
        shutil.copyfile(objects / built, boot / f"{name}-{release}")
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(objects / name, modules / name)
    (modules / "modules.order").touch()
    must(["depmod", "-b", str(target), release], "list the kernel's modules")
    image = boot / f"vmlinuz-{release}"
    unpack_image(image, unpacked_image(image))


def _patches(name: str) -> list[Path]:
    return [_FILES / f"{patch}.patch" for patch in VARIANTS[name]]


def _directory(name: str, version: str, tools: str) -> Path:
    patches = [patch.read_text() for patch in _patches(name)]
    return cache_directory() / "kernels" / f"{PREFIX[:-1]}-{name}-{_hash(version, tools, *patches)[:12]}"


def _hash(version: str, tools: str, *more: str) -> str:
    """Return a hash of all that goes into every variant, and of ``more``."""
    parts = [_RECIPE, version, tools, _FRAGMENT.read_text(), *more]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
