# SPDX-License-Identifier: GPL-2.0-only
"""Compiles for guests: the host's side of ``profiler/hooks/by_host.py``.

A guest says with which constants; the source, and what else the compiler is told, are this program's own.
What comes of it goes into the guest's folder, and is loaded into no kernel but the guest's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from profiler.hooks import by_host, compiling, kept, program
from profiler.kernel import abilities
from profiler.lab.processes import die_with

MOST_CPUS = 64
"""Of a guest."""

_INTERVAL = 0.05
_MOST_BYTES = 1 << 16  # a request has 7 KB


@contextmanager
def compiler(folder: Path | None) -> Iterator[dict[str, str]]:
    """While this is open, what guests ask for is compiled, one after the other.

    :param folder: which they write to.
    :returns: what has to be in their environment for that; nothing where this process cannot compile, and
        each guest does for itself. BCC makes the maps while it compiles: that takes root.
    """
    if folder is None or os.geteuid() != 0:
        yield {}
        return
    stop = Event()
    thread = Thread(target=_serve, args=(folder, stop))
    thread.start()
    try:
        yield {by_host.VARIABLE: kept.FOLDERS[-1]}
    finally:
        stop.set()
        thread.join()


def _serve(folder: Path, stop: Event) -> None:
    while not stop.wait(_INTERVAL):
        with suppress(OSError):
            for wanted in sorted(folder.glob(f"*{by_host.WANTED}")):
                _answer(wanted, stop)


def _answer(wanted: Path, stop: Event) -> None:
    """In a process of its own: LLVM's memory goes with it, and none of its errors concerns this one."""
    taken = wanted.with_suffix(by_host.TAKEN)
    try:
        wanted.rename(taken)
    except FileNotFoundError:  # another VM of this kernel has it
        return
    # -P: what is imported does not depend on the directory that the user is in.
    command = [sys.executable, "-P", "-m", "profiler.lab.compiler", str(taken)]
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is not for it
            preexec_fn=die_with(os.getpid()),
        ) as process:
            while process.poll() is None:
                if stop.wait(_INTERVAL):
                    process.kill()
    finally:
        taken.unlink(missing_ok=True)


def _compile(taken: Path) -> None:
    with taken.open("rb") as file:
        options = [str(option) for option in json.loads(file.read(_MOST_BYTES))]
    name = taken.name.partition(".")[0]
    # Another version of this program may be asking: only it has the source then.
    if not program.are_flags(options, MOST_CPUS) or compiling.key(options) != name:
        return
    folders = [taken.parent]  # never those of this machine's own programs
    if kept.load(name, folders) is None:
        abilities.lift_memlock_limit()
        kept.store(name, compiling.compile_here(options), folders)


if __name__ == "__main__":
    _compile(Path(sys.argv[1]))
