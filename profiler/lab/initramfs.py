# SPDX-License-Identifier: GPL-2.0-only
"""The guest's first file system: ``init``, the modules it needs to reach the host, and the job.

It is written here, byte by byte, as an uncompressed cpio archive: 2 MB, a few milliseconds, no cpio or
mkinitramfs on the machine.
"""

import hashlib
import lzma
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab.apt import NO_SPACE, run_tool
from profiler.lab.cache import cache_directory, directory_lock, disk_full, replace_file
from profiler.lab.image import Kernel

SOURCES = tuple(sorted(Path(__file__).with_name("init").glob("*.[ch]")))
_COMPILE = ("gcc", "-O2", "-static", "-s")

WANTED_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
"""What init needs before it can see the host's files; what a kernel has built in is left out."""


def build_initramfs(
    kernel: Kernel,
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    alive_seconds: int = 0,
) -> bytes:
    """Return a cpio archive whose ``/init`` runs ``command`` in ``directory`` with ``environment``.

    :param alive_seconds: what has nothing to send says at least that it lives, this often; 0 for never.
    :raises UserError: no compiler for init, or modules that cannot be read.
    """
    modules = [] if kernel.modules is None else modules_in_load_order(kernel.modules, WANTED_MODULES)
    names = [f"{position:02}-{_module_name(path)}.ko" for position, path in enumerate(modules)]
    files: list[tuple[str, int, bytes]] = [
        ("dev", stat.S_IFDIR | 0o755, b""),
        ("modules", stat.S_IFDIR | 0o755, b""),
        ("init", stat.S_IFREG | 0o755, init_binary().read_bytes()),
        (
            "job",
            stat.S_IFREG | 0o600,
            job_file(names, kernel.modules, directory, alive_seconds, command, environment),
        ),
    ]
    files += [
        (f"modules/{name}", stat.S_IFREG | 0o644, _read_module(path))
        for name, path in zip(names, modules, strict=True)
    ]
    return cpio(files)


def job_file(
    module_names: Sequence[str],
    modules: Path | None,
    directory: Path,
    alive_seconds: int,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> bytes:
    """Return what init reads: strings that end with a zero byte, each list after its length.

    Their order: modules to load, directory of all modules (or empty), working directory, seconds between
    two signs of life, argv, environment.
    """
    variables = [f"{name}={value}" for name, value in environment.items()]
    words = [
        *_counted(module_names),
        "" if modules is None else str(modules),
        str(directory),
        str(alive_seconds),
        *_counted(command),
        *_counted(variables),
    ]
    # surrogateescape: file names and variables are bytes, not always UTF-8.
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)


def _counted(words: Sequence[str]) -> list[str]:
    return [str(len(words)), *words]


def modules_in_load_order(modules: Path, wanted: Iterable[str]) -> list[Path]:
    """Return the files of ``wanted`` and of all they depend on, dependencies first; built-in ones are absent.

    ``modules.dep`` has one line a module: ``path: path-it-needs …``, the innermost dependency last.
    """
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        needs[_module_name(Path(path))] = (path, dependencies.split())
    ordered: dict[str, None] = {}
    for name in wanted:
        if name in needs:
            file, inner = needs[name]
            ordered.update(dict.fromkeys([*reversed(inner), file]))
    return [modules / path for path in ordered]


def _module_name(path: Path) -> str:
    """``kernel/fs/9p/9p.ko.xz`` → ``9p``; the kernel holds ``-`` and ``_`` for the same."""
    return path.name.split(".ko")[0].replace("-", "_")


def _read_module(path: Path) -> bytes:
    """Return the module, decompressed: the kernel may be built without decompression of modules."""
    try:
        content = path.read_bytes()
        if path.suffix == ".xz":
            return lzma.decompress(content)
        if path.suffix == ".zst":
            return subprocess.run(["zstd", "-dcq"], input=content, stdout=subprocess.PIPE, check=True).stdout
    except (OSError, lzma.LZMAError, subprocess.CalledProcessError) as error:
        raise UserError(f"cannot read the kernel module {path}: {error}", Exit.CANNOT_TELL) from error
    return content


def init_binary() -> Path:
    """Return the compiled ``init/``, from the cache when this source was compiled before.

    :raises UserError: no compiler, or one that fails; no room on the disk.
    """
    key = hashlib.sha256(b"\0".join([" ".join(_COMPILE).encode(), *map(Path.read_bytes, SOURCES)]))
    directory = cache_directory() / "vm-init"
    binary = directory / key.hexdigest()[:16]
    if binary.exists():
        return binary
    if shutil.which(_COMPILE[0]) is None:
        raise UserError(
            "vm needs a C compiler for the guest's init, and gcc is not here: apt-get install gcc libc6-dev",
            Exit.CANNOT_TELL,
        )
    with directory_lock(directory), replace_file(binary) as target:
        files = [str(file) for file in SOURCES if file.suffix == ".c"]
        done = run_tool([*_COMPILE, "-o", str(target), *files])
        if NO_SPACE.search(done.stderr):
            raise disk_full()
        if done.returncode:
            complaint = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"cannot compile the guest's init ({complaint}); gcc and libc6-dev must be installed",
                Exit.CANNOT_TELL,
            )
    return binary


def cpio(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Return a "newc" archive of ``(name, mode with file type, content)``; all files belong to root."""
    archive = bytearray()
    inode = 0
    for inode, (name, mode, content) in enumerate(files, start=1):
        archive += _cpio_entry(inode, name, mode, content)
    archive += _cpio_entry(inode + 1, "dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1))
    archive += _cpio_entry(0, "TRAILER!!!", 0, b"")
    return bytes(archive)


def _cpio_entry(inode: int, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    encoded = name.encode() + b"\0"
    links, zero = 1, 0
    fields = (
        inode, mode, zero, zero, links, zero, len(content), zero, zero, *device, len(encoded), zero,
    )  # fmt: skip
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
