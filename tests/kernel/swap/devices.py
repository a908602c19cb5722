# SPDX-License-Identifier: GPL-2.0-only
"""Swap areas of each sort: compressed memory, a file on a file system, a block device that is such a file."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sort = Literal["zram", "file", "loop"]
SIZE = 24 << 20
READ_AHEAD = Path("/proc/sys/vm/page-cluster")


@dataclass(frozen=True)
class Area:
    """A swap area in use.

    ``inflight``: what its device has not answered yet; ``None`` where it answers at once.
    """

    name: str
    slots: int
    inflight: Path | None


@contextmanager
def area(sort: Sort, disk: Path, priority: int = 1) -> Iterator[Area]:
    """Swap on one area; off again afterwards."""
    with {"zram": _zram, "file": _file, "loop": _loop}[sort](disk) as (name, device):
        _run("mkswap", name)
        _run("swapon", "-p", str(priority), name)
        inflight = None if sort == "zram" else Path(f"/sys/dev/block/{device}/inflight")
        try:
            yield Area(str(name), SIZE // 4096, inflight)
        finally:
            _run("swapoff", name)


@contextmanager
def read_ahead(order: int) -> Iterator[None]:
    """Read at most ``1 << order`` pages at once."""
    before = READ_AHEAD.read_text()
    READ_AHEAD.write_text(str(order))
    try:
        yield
    finally:
        READ_AHEAD.write_text(before)


def pages_read() -> int:
    """Pages that the machine has ever read from swap: PSWPIN of mm/page_io.c."""
    for line in Path("/proc/vmstat").read_text().splitlines():
        if line.startswith("pswpin "):
            return int(line.split()[1])
    raise AssertionError("no pswpin")


@contextmanager
def _zram(_: Path) -> Iterator[tuple[Path, str]]:
    _run("modprobe", "zram")
    name = Path("/dev/zram0")
    Path("/sys/block/zram0/disksize").write_text(str(SIZE))
    try:
        yield name, _number(name.stat().st_rdev)
    finally:
        Path("/sys/block/zram0/reset").write_text("1")


@contextmanager
def _file(disk: Path) -> Iterator[tuple[Path, str]]:
    name = disk / "swap"
    with name.open("wb") as file:
        name.chmod(0o600)
        os.posix_fallocate(file.fileno(), 0, SIZE)
        os.fsync(file.fileno())
    try:
        yield name, _number(name.stat().st_dev)
    finally:
        name.unlink()


@contextmanager
def _loop(disk: Path) -> Iterator[tuple[Path, str]]:
    with _file(disk) as (file, _):
        name = Path(_run("losetup", "--find", "--show", file).strip())
        try:
            yield name, _number(name.stat().st_rdev)
        finally:
            _run("losetup", "--detach", name)


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
