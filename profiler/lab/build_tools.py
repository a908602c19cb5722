# SPDX-License-Identifier: GPL-2.0-only
"""What building a kernel needs on this machine, and which of it decides what comes out."""

import shutil
import subprocess

from profiler.errors import Exit, UserError
from profiler.lab.apt import run_tool

# Tool → the Debian package that has it.
_TOOLS = {
    "gcc": "gcc",
    "ld": "binutils",
    "make": "make",
    "patch": "patch",
    "bc": "bc",
    "bison": "bison",
    "flex": "flex",
    "pahole": "pahole",
    "perl": "perl-base",
    "tar": "tar",
    "xz": "xz-utils",
    "depmod": "kmod",
}
# Header → likewise. objtool and resolve_btfids are linked with libelf.
_HEADERS = {"stdlib.h": "libc6-dev", "libelf.h": "libelf-dev"}


def require_build_tools() -> None:
    """Look for all that a build runs or includes.

    :raises UserError: with the command that installs what is missing.
    """
    missing = {tool: package for tool, package in _TOOLS.items() if shutil.which(tool) is None}
    if "gcc" not in missing:
        missing |= {header: package for header, package in _HEADERS.items() if not _has_header(header)}
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"building a kernel needs {', '.join(missing)}, which {verb} not here: "
            f"apt-get install {' '.join(dict.fromkeys(missing.values()))}",
            Exit.CANNOT_TELL,
        )


def _has_header(header: str) -> bool:
    command = ["gcc", "-E", "-include", header, "-x", "c", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def toolchain() -> str:
    """Return the versions of the tools that write code or BTF; ``""`` for one that is not here."""
    versions = []
    for tool in ("gcc", "ld", "pahole"):
        said = run_tool([tool, "--version"]).stdout if shutil.which(tool) else ""
        versions.append(f"{tool}: {said.partition(chr(10))[0]}")
    return "\n".join(versions)
