# SPDX-License-Identifier: GPL-2.0-only
"""Compile the workload to ``<sys.prefix>/libexec/uffd-profiler/workload``, once per state of its sources.

``python -m profiler.workload.build`` is what ``make install`` runs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from profiler.errors import Exit, UserError

SOURCES = Path(__file__).parent
BINARY = Path(sys.prefix) / "libexec" / "uffd-profiler" / "workload"
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")


def path() -> Path:
    """The compiled workload; :class:`UserError` if there is none."""
    if not os.access(BINARY, os.X_OK):
        raise UserError(f"the workload is not compiled ({BINARY} is missing); run `make install`")
    return BINARY


def build(binary: Path = BINARY, compiler: str | None = None) -> bool:
    """Compile if the sources differ from those that ``binary`` was made from.

    The program appears at ``binary`` in one step: nobody ever runs half of it.

    :param binary: where the program goes; its folders are made.
    :param compiler: default: ``$CC``, else ``gcc``.
    :returns: True if it was compiled, False if it was up to date.
    :raises UserError: no compiler, no right to write there, or the compiler's own first words.
    """
    compiler = compiler or os.environ.get("CC") or "gcc"
    stamp = binary.with_name(binary.name + ".sha256")
    wanted = _digest(compiler)
    if os.access(binary, os.X_OK) and stamp.is_file() and stamp.read_text() == wanted:
        return False
    if shutil.which(compiler) is None:
        raise UserError(
            f"the C compiler {compiler} is not installed, and the workload needs one; "
            "run `apt-get install gcc libc6-dev`"
        )
    try:
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
            made = Path(folder) / binary.name
            _compile(compiler, made)
            made.replace(binary)
            written = Path(folder) / stamp.name
            written.write_text(wanted)
            written.replace(stamp)
    except OSError as error:
        message = f"cannot write the workload to {binary}: {error.strerror}; run as the owner of {sys.prefix}"
        raise UserError(message, Exit.OUTPUT) from error
    return True


def _digest(compiler: str) -> str:
    """One hash over everything the program is made from."""
    digest = hashlib.sha256(" ".join((compiler, *FLAGS)).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _compile(compiler: str, made: Path) -> None:
    command = [compiler, *FLAGS, "-o", str(made), *map(str, sorted(SOURCES.glob("*.c")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise UserError(f"{compiler} cannot compile the workload: {first}; are gcc and libc6-dev installed?")


def main() -> int:
    """Build, and say what was done."""
    try:
        made = build()
    except UserError as error:
        print(error, file=sys.stderr)
        return error.code
    print(f"{BINARY}: {'compiled' if made else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
