# SPDX-License-Identifier: GPL-2.0-only
"""The cache folder: what is in it is whole, however the process that made it ended.

Everything is made under a temporary name and renamed when finished. Leftovers of a killed process are swept
by the next one that takes the same lock.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from profiler.errors import Exit, UserError

UNFINISHED = ".unfinished-"
"""Begins the name of everything that is not finished."""


def cache_directory() -> Path:
    """Return ``$XDG_CACHE_HOME/uffd-profiler``, else ``~/.cache/uffd-profiler``; it may not exist."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and to be ignored.
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "uffd-profiler"


@contextlib.contextmanager
def directory_lock(directory: Path) -> Iterator[int]:
    """Hold ``directory`` (made if need be) alone; wait while another process holds it. Death releases it.

    Yields the descriptor: a child that inherits it goes on holding the lock when we are dead.

    :raises UserError: the directory cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {directory} ({error.strerror}); "
            "set XDG_CACHE_HOME to a directory that can be written",
            Exit.OUTPUT,
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in directory.glob(f"{UNFINISHED}*"):
            remove(leftover)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes ``target`` when the block ends well, and vanishes otherwise.

    To be used inside :func:`directory_lock` of the parent.

    :raises UserError: the disk is full.
    """
    with disk_full_is_said():
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
        try:
            yield unfinished
            unfinished.chmod(
                0o755
            )  # mkdtemp makes it private; an unprivileged user may boot what root fetched
            unfinished.rename(target)
        finally:
            remove(unfinished)


@contextlib.contextmanager
def replace_file(target: Path) -> Iterator[Path]:
    """Like :func:`replace_directory`, for one file."""
    with disk_full_is_said():
        unfinished = target.with_name(f"{UNFINISHED}{target.name}")
        try:
            yield unfinished
            unfinished.rename(target)
        finally:
            remove(unfinished)


@contextlib.contextmanager
def disk_full_is_said() -> Iterator[None]:
    """Turn "no space left" into a sentence.

    :raises UserError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise


def disk_full() -> UserError:
    """Return the error for a disk with no room left for the cache."""
    return UserError(
        f"the disk is full at {cache_directory()}; "
        "free 1 GB there, or 4 GB to build a kernel, or set XDG_CACHE_HOME to a disk that has it",
        Exit.OUTPUT,
    )


def remove(path: Path) -> None:
    """Remove a file or a directory with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
