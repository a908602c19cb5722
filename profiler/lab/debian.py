# SPDX-License-Identifier: GPL-2.0-only
"""Debian's own kernels: fetched as packages, unpacked into the cache, never installed.

In the cache a kernel is a directory like ``kernels/debian-6.1`` with the package's ``boot/`` and
``lib/modules/``. Once there it is used without asking the network; delete it to get a newer one.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import UserError
from profiler.lab.apt import PrivateApt, configured_archives, run_tool
from profiler.lab.cache import cache_directory, directory_lock, disk_full, replace_directory
from profiler.lab.image import Kernel, read_kernel, unpack_image

PREFIX = "debian:"


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
    for kernel in (DebianKernel("6.1", suite="bookworm", package=r"linux-image-6\.1\.0-\d+-amd64"),)
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
    return _in_directory(directory)


def newest(names: list[str], pattern: str) -> str | None:
    """Return the name that matches ``pattern`` as a whole and has the highest numbers; None if none does."""
    matching = [name for name in names if re.fullmatch(pattern, name)]
    return max(matching, key=_numbers, default=None)


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _fetch(wanted: DebianKernel, target: Path) -> None:
    """Make ``target`` the unpacked package, with what a package's installation would add: modules.dep."""
    if shutil.which("depmod") is None:
        raise UserError("vm needs depmod, which is not here: apt-get install kmod")
    archives = configured_archives()
    with tempfile.TemporaryDirectory(dir=target) as private:
        apt = PrivateApt(Path(private), archives, wanted.suite)
        apt.update()
        package = newest(apt.package_names("linux-image-"), wanted.package)
        if package is None:
            reason = f": {apt.complaint}" if apt.complaint else ""
            raise UserError(
                f"no package of {PREFIX}{wanted.name} in suite {wanted.suite} of apt's Debian mirror{reason}"
            )
        _unpack(apt.download(package), target)
    kernel = _in_directory(target, modules_expected=False)
    _must(["depmod", "-b", str(target), kernel.release], target)
    unpack_image(kernel.image, _unpacked_image(kernel.image))


def _unpack(package: Path, target: Path) -> None:
    _must(["dpkg-deb", "--extract", str(package), str(target)], target)
    shutil.rmtree(target / "usr" / "share", ignore_errors=True)  # documentation


def _must(command: list[str], target: Path) -> None:
    done = run_tool(command)
    if "No space left" in done.stderr:
        raise disk_full()
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise UserError(f"cannot unpack the kernel package, {command[0]} failed: {complaint}")


def _in_directory(directory: Path, modules_expected: bool = True) -> Kernel:
    images = list((directory / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise UserError(f"{directory} holds no kernel image; delete it, and it will be fetched again")
    kernel = read_kernel(images[0])
    if modules_expected and kernel.modules is None:
        raise UserError(
            f"{directory} holds no modules for {kernel.release}; delete it, and it will be fetched again"
        )
    unpacked = _unpacked_image(kernel.image)
    return replace(kernel, image=unpacked) if unpacked.exists() else kernel


def _unpacked_image(image: Path) -> Path:
    return image.with_name(image.name.replace("vmlinuz-", "vmlinux-"))
