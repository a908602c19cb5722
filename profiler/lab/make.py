# SPDX-License-Identifier: GPL-2.0-only
"""Runs ``make`` behind everything else on the machine: logged, and gone when we are."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from profiler.lab.processes import die_with
from profiler.lab.progress import Progress

# A make that runs us, its job server and its variables are none of this make's business.
_KEPT_VARIABLES = re.compile(r"PATH|HOME|TMPDIR|CCACHE_\w+|XDG_(CACHE|CONFIG)_HOME")
_STEP = re.compile(r"  [A-Z]\S*\s+\S")  # kbuild's "  CC      mm/memory.o"
_ERROR = re.compile(r"\berror:|\bError \d|\*\*\* |undefined reference")
_ERROR_LINES = 8


def run_make(arguments: Sequence[str], log: Path, mark: Path, lock: int, progress: Progress) -> int:
    """Run make with ``arguments``; all it says goes to ``log``.

    :param mark: a file that is there for as long as make runs, and stays if it did not end in an orderly way:
        then any file that it was writing may be cut short.
    :param lock: a descriptor that it and the compilers inherit. If we are killed, make is told to end, and
        whoever waits for the lock waits until the last compiler is gone, too.
    :return: its exit code; -n when signal n ended it.
    """
    steps = 0
    mark.touch()
    with log.open("wb", buffering=0) as kept:
        process = subprocess.Popen(
            ["nice", "-n", "10", "make", *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            process_group=0,  # Ctrl-C is ours to handle
            preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        )
        assert process.stdout is not None  # noqa: S101
        try:
            for line in process.stdout:
                kept.write(line)
                if _STEP.match(said := line.decode(errors="replace")):
                    steps += 1
                    progress.say(f"{steps} steps done, now {said.strip()}")
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
            process.stdout.close()
            # At SIGTERM make ends its compilers and deletes what they had not finished.
            if process.returncode >= 0 or process.returncode == -signal.SIGTERM:
                mark.unlink()
    return process.returncode


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _KEPT_VARIABLES.fullmatch(name)}
    return kept | {"LC_ALL": "C"}


def error_lines(log: Path) -> str:
    """Return the first errors in ``log``, else its last lines; indented, each after a line break."""
    said = log.read_text(errors="replace").splitlines()
    errors = [line for line in said if _ERROR.search(line)][:_ERROR_LINES] or said[-_ERROR_LINES:]
    return "".join(f"\n  {line}" for line in errors)
