# SPDX-License-Identifier: GPL-2.0-only
"""Compiled programs, kept from one start to the next: compiling is most of the time that a start takes.

Whoever could write there could choose what root loads into the kernel, so a folder is used only if nobody but
root can write it. What is compiled depends on all that the key is made of, among it addresses that the kernel
changes at every boot, and on the compiler, whose libraries are noted with it: to find a program again takes
none of them into memory.
"""

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from .compiled import Compiled

FOLDERS = ("/var/cache/uffd-profiler", "/run/uffd-profiler")
"""In this order; before them what systemd gives (systemd.exec(5): CacheDirectory=)."""
MOST = 64
"""Files kept; beyond them the ones not used for longest go."""

_LIBRARIES = ("libbcc", "libLLVM", "libclang")


def key(source: str, options: Sequence[str], headers: Path) -> str:
    """Everything that decides what one compiler makes, in 64 hexadecimal digits.

    :param headers: folder of files that the source may include.
    """
    parts = [source, list(options), _contents(headers)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load(name: str, folders: Sequence[Path] | None = None) -> Compiled | None:
    """What was kept under a key.

    :param folders: where to look, if not in those of this machine.
    :returns: ``None`` if nothing was, it cannot be used, or the compiler is another one now.
    """
    for folder in _folders() if folders is None else folders:
        with suppress(OSError, KeyError, TypeError, ValueError), _opened(folder) as directory:
            descriptor = os.open(f"{name}.json", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory.fd)
            with open(descriptor, "rb") as file:
                content = json.load(file)
            if not _are_unchanged(content["compiler"]):
                return None
            found = Compiled.from_json(content["compiled"])
            os.utime(f"{name}.json", dir_fd=directory.fd)
            return found
    return None


def store(name: str, compiled: Compiled, folders: Sequence[Path] | None = None) -> None:
    """Keep what this process compiled, where that can be done; a reader sees all of it or nothing.

    :param folders: the first that can be used is taken, if not of those of this machine.
    """
    content = {"compiler": _compiler(), "compiled": compiled.to_json()}
    for folder in _folders() if folders is None else folders:
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            with _opened(folder) as directory:
                unfinished = f"{name}.{os.getpid()}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                try:
                    with open(os.open(unfinished, flags, 0o600, dir_fd=directory.fd), "w") as file:
                        json.dump(content, file)
                    os.rename(unfinished, f"{name}.json", src_dir_fd=directory.fd, dst_dir_fd=directory.fd)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(unfinished, dir_fd=directory.fd)
                    raise
                _forget(directory.fd)
                return


class _opened:  # noqa: N801 (a context manager)
    """A folder that nobody but root can write.

    :raises OSError: there is none, or somebody else could.
    """

    def __init__(self, folder: Path) -> None:
        self.fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(self.fd)
        if found.st_uid != 0 or stat.S_IMODE(found.st_mode) & 0o022:
            os.close(self.fd)
            raise PermissionError(f"others than root can write {folder}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _folders() -> list[Path]:
    given = os.environ.get("CACHE_DIRECTORY", "").split(":")
    return [Path(folder) for folder in (*given, *FOLDERS) if folder.startswith("/")]


def _forget(directory: int) -> None:
    """What was not used for longest, beyond :data:`MOST`, and what a writer left that was killed."""
    with os.scandir(directory) as found:
        files = sorted(((entry.stat().st_mtime_ns, entry.name) for entry in found), reverse=True)
    for _, name in files[MOST:]:
        with suppress(OSError):
            os.unlink(name, dir_fd=directory)


def _contents(folder: Path) -> list[list[str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [[str(path.relative_to(folder)), path.read_text()] for path in files]


def _compiler() -> list[list[str | int]]:
    """The libraries that compile, as they are mapped here, with size and time of change."""
    with open("/proc/self/maps") as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps if "/" in line}
    found = sorted(path for path in paths if Path(path).name.startswith(_LIBRARIES))
    return [[path, *_identity(path)] for path in found]


def _are_unchanged(compiler: list[list[str | int]]) -> bool:
    return bool(compiler) and all(_GONE != _identity(str(path)) == tuple(was) for path, *was in compiler)


_GONE = (-1, -1)


def _identity(path: str) -> tuple[int, int]:
    """Size in bytes and time of change in ns."""
    try:
        status = Path(path).stat()
    except OSError:
        return _GONE
    return status.st_size, status.st_mtime_ns
