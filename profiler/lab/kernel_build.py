# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels in one tree: the first takes minutes, another variant half a minute.

Objects are trusted only if a ``make`` ended by itself after it wrote them: while one runs a mark is there,
and whoever finds the mark finds what a killed build left, and begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from profiler.errors import Exit, UserError
from profiler.lab.apt import NO_SPACE, must
from profiler.lab.cache import disk_full, remove, replace_file
from profiler.lab.kernel_config import differing, parse_config
from profiler.lab.kernel_source import SourceTree
from profiler.lab.make import error_lines, run_make
from profiler.lab.progress import Progress

# Nothing of the day, the user or the machine goes into the kernel: the same input gives the same image.
_REPRODUCIBLE = (
    "KBUILD_BUILD_TIMESTAMP=Tue Dec 1 00:00:00 UTC 2020",
    "KBUILD_BUILD_VERSION=1",
    "KBUILD_BUILD_USER=lab",
    "KBUILD_BUILD_HOST=uffd-profiler",
)


@dataclass(frozen=True)
class BuildTree:
    """Where kernels are built.

    :param directory: always the same, or ccache would find nothing again; the logs are here.
    :param lock: descriptor of the directory's lock.
    """

    directory: Path
    source: SourceTree
    lock: int
    progress: Progress

    @property
    def objects(self) -> Path:
        """Make's output."""
        return self.directory / "objects"

    @property
    def _mark(self) -> Path:
        return self.directory / ".make-runs"

    def configure(self, fragment: Path, key: str) -> None:
        """Make ``objects`` ready to build ``fragment`` over tinyconfig: as the last build left it, or empty.

        :param key: of all that an object depends on but patches: at another one, everything is removed first.
        :raises UserError: kconfig does not take a line of ``fragment``, or a tool failed.
        """
        stamp = self.objects / ".made-for"
        if not self._mark.exists() and stamp.is_file() and stamp.read_text() == key:
            return
        self.progress.say("configuring the kernel")
        remove(self.objects)
        self._mark.unlink(missing_ok=True)
        self.objects.mkdir()
        config = self.objects / ".config"
        self._make("configure", ["tinyconfig"])
        must(
            [
                str(self.source.directory / "scripts" / "kconfig" / "merge_config.sh"),
                *("-m", "-O", str(self.objects), str(config), str(fragment)),
            ],
            f"merge {fragment.name} into the kernel's configuration",
        )
        self._make("configure", ["olddefconfig"])
        dropped = differing(parse_config(fragment.read_text()), parse_config(config.read_text()))
        if dropped:
            raise UserError(
                f"kconfig of Linux {self.source.version} does not take {', '.join(dropped)}; "
                f"correct {fragment}",
                Exit.CANNOT_TELL,
            )
        with replace_file(stamp) as unfinished:
            unfinished.write_text(key)

    def build(self, name: str, jobs: int) -> str:
        """Make the kernel image; return its release, which ends in ``-lab-NAME``.

        :raises UserError: it does not compile, or the disk is full.
        """
        compiler = ["CC=ccache gcc", "HOSTCC=ccache gcc"] if which("ccache") else []
        self._make(name, [f"-j{jobs}", *compiler, f"LOCALVERSION=-lab-{name}", "bzImage"])
        return (self.objects / "include" / "config" / "kernel.release").read_text().strip()

    def _make(self, log_name: str, goals: Sequence[str]) -> None:
        log = self.directory / f"{log_name}.log"
        fixed = ["-C", str(self.source.directory), f"O={self.objects}", "ARCH=x86", *_REPRODUCIBLE]
        code = run_make([*fixed, *goals], log, self._mark, self.lock, self.progress)
        if code == 0:
            return
        if NO_SPACE.search(log.read_text(errors="replace")):
            remove(self.objects)  # a tool that could not write may have left a part
            raise disk_full()
        raise UserError(
            f"cannot build the kernel; all that make said is in {log}, its errors:{error_lines(log)}",
            Exit.CANNOT_TELL,
        )
