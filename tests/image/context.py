# SPDX-License-Identifier: GPL-2.0-only
"""The build context: what git holds or would hold, less what .dockerignore keeps out."""

import shutil
import subprocess
from pathlib import Path

from docker.utils import exclude_paths


def make_context(repository: Path, folder: Path) -> None:
    """Fill the empty ``folder`` with the context of ``repository``; all of it is root's."""
    patterns = ignore_patterns((repository / ".dockerignore").read_text())
    for name in sorted(_files(repository) & set(exclude_paths(str(repository), patterns))):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, target, follow_symlinks=False)


def ignore_patterns(text: str) -> list[str]:
    """The lines of a .dockerignore that are patterns."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _files(repository: Path) -> set[str]:
    # The checkout may be another user's; what is new and not ignored will be in it as well.
    command = ["git", "-c", f"safe.directory={repository}", "ls-files", "-z", "--cached", "--others"]
    listing = subprocess.run(
        [*command, "--exclude-standard"], cwd=repository, capture_output=True, text=True, check=True
    )
    return set(listing.stdout.split("\0"))
