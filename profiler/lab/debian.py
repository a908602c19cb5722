# SPDX-License-Identifier: GPL-2.0-only
"""Debian's own kernels: fetched as packages, unpacked into the cache, never installed.

In the cache a kernel is a directory like ``kernels/debian-6.1`` with the package's ``boot/`` and
``lib/modules/``. Once there it is used without asking the network; delete it to get a newer one.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab.apt import PrivateApt, configured_archives, must
from profiler.lab.cache import cache_directory, directory_lock, replace_directory
from profiler.lab.image import Kernel, kernel_in, unpack_image, unpacked_image

PREFIX = "debian:"

_UNPACK = "unpack the kernel package"


@dataclass(frozen=True)
class DebianKernel:
    """One row of what ``--kernel debian:NAME`` offers.

    :param name: what follows ``debian:``.
    :param suite: the Debian suite whose archive, and security archive, has it.
    :param package: matches the whole name of the signed standard package, and neither ``-cloud``, ``-rt``,
        ``-dbg`` nor ``-unsigned``. Of several, the one with the highest numbers in its name is the newest.
    """

    name: str
    suite: str
    package: str


KERNELS = {
    kernel.name: kernel
    for kernel in (
        DebianKernel("5.10", suite="bullseye", package=r"linux-image-5\.10\.0-\d+-amd64"),
        DebianKernel("6.1", suite="bookworm", package=r"linux-image-6\.1\.0-\d+-amd64"),
        DebianKernel("6.12", suite="bookworm", package=r"linux-image-6\.12\.\d+\+deb12-amd64"),
        DebianKernel("sid", suite="sid", package=r"linux-image-\d+(\.\d+)+\+deb\d+-amd64"),
    )
}


def debian_kernel(name: str) -> Kernel:
    """Return Debian's kernel ``name``, such as ``6.1``; from the cache, else from the Debian mirror.

    :raises UserError: unknown name; no mirror, network, package or tool; no room on the disk.
    """
    if name not in KERNELS:
        known = ", ".join(PREFIX + known for known in KERNELS)
        raise UserError(f"unknown kernel {PREFIX}{name}; give {known}, or the path of a bzImage")
    kernels = cache_directory() / "kernels"
    directory = kernels / f"debian-{name}"
    if not directory.is_dir():
        with directory_lock(kernels):
            if not directory.is_dir():  # another process may have made it while we waited
                with replace_directory(directory) as unfinished:
                    _fetch(KERNELS[name], unfinished)
    return kernel_in(directory)


def newest(names: list[str], pattern: str) -> str | None:
    """Return the name that matches ``pattern`` as a whole and has the highest numbers; None if none does."""
    matching = [name for name in names if re.fullmatch(pattern, name)]
    return max(matching, key=_numbers, default=None)


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _fetch(wanted: DebianKernel, target: Path) -> None:
    """Make ``target`` the unpacked package, with what a package's installation would add: modules.dep."""
    if shutil.which("depmod") is None:
        raise UserError("vm needs depmod, which is not here: apt-get install kmod", Exit.CANNOT_TELL)
    archives = configured_archives()
    with tempfile.TemporaryDirectory(dir=target) as private:
        apt = PrivateApt(Path(private), archives, wanted.suite)
        apt.update()
        package = newest(apt.package_names("linux-image-"), wanted.package)
        if package is None:
            reason = f": {apt.complaint}" if apt.complaint else ""
            raise UserError(
                f"no package of {PREFIX}{wanted.name} in suite {wanted.suite} of apt's Debian mirror{reason}",
                Exit.CANNOT_TELL,
            )
        deb = apt.download(package)
        depends = must(["dpkg-deb", "--field", str(deb), "Depends"], _UNPACK)
        _unpack(deb, target)
        for part in parts(depends, package):
            _unpack(apt.download(part), target)
    _arrange(target)
    kernel = kernel_in(target, modules_expected=False)
    must(["depmod", "-b", str(target), kernel.release], _UNPACK)
    unpack_image(kernel.image, unpacked_image(kernel.image))


def parts(depends: str, package: str) -> list[str]:
    """Return the other packages that make up the kernel ``package``, from its field Depends.

    In forky and sid the package linux-image-X is empty: linux-binary-X, linux-modules-X and linux-base-X hold
    the files.
    """
    own = package.removeprefix("linux-image")
    names = (dependency.split()[0] for dependency in depends.split(",") if dependency.strip())
    return [name for name in names if re.fullmatch(r"linux-[a-z]+" + re.escape(own), name)]


def _unpack(package: Path, target: Path) -> None:
    must(["dpkg-deb", "--extract", str(package), str(target)], _UNPACK)
    package.unlink()
    shutil.rmtree(target / "usr" / "share", ignore_errors=True)  # documentation


def _arrange(target: Path) -> None:
    """Bring the layout of forky and sid, all under ``usr/lib/modules/RELEASE``, to that of the others."""
    merged = target / "usr" / "lib"
    if not merged.is_dir():
        return
    merged.rename(target / "lib")
    (target / "boot").mkdir(exist_ok=True)
    for modules in (target / "lib" / "modules").iterdir():
        for name in ("vmlinuz", "config", "System.map"):
            if (modules / name).exists():
                (modules / name).rename(target / "boot" / f"{name}-{modules.name}")
