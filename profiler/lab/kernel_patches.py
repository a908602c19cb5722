# SPDX-License-Identifier: GPL-2.0-only
"""A kernel source with exactly the patches one wants, whichever it had before."""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from profiler.lab.apt import must
from profiler.lab.cache import UNFINISHED, remove, replace_file

_PRISTINE = ".pristine"  # in the source: the files that a patch changed, as they came


def patch_source(source: Path, patches: Sequence[Path]) -> None:
    """Make ``source`` what it was, with ``patches``; make finds only those files newer that have changed.

    :raises UserError: a patch does not fit, the disk is full, or there is no ``patch``.
    """
    pristine, wanted = source / _PRISTINE, source / ".wanted"
    for changed in patched_files(patches):
        if not (pristine / changed).exists():
            (pristine / changed).parent.mkdir(parents=True, exist_ok=True)
            with replace_file(pristine / changed) as unfinished:
                shutil.copy(source / changed, unfinished)
    remove(wanted)
    names = [file.relative_to(pristine) for file in pristine.rglob("*") if file.is_file()]
    names = [name for name in names if not name.name.startswith(UNFINISHED)]
    for name in names:
        (wanted / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pristine / name, wanted / name)
    for patch in patches:
        must(
            [
                *("patch", "--strip=1", "--fuzz=0", "--no-backup-if-mismatch", "--quiet"),
                *("--directory", str(wanted), "--input", str(patch)),
            ],
            f"apply {patch.name} to {source}",
        )
    for name in names:
        if (wanted / name).read_bytes() != (source / name).read_bytes():
            with replace_file(source / name) as unfinished:
                shutil.copy(wanted / name, unfinished)


def patched_files(patches: Iterable[Path]) -> list[str]:
    """Return the files that ``patches`` change, such as ``mm/memory.c``, each once."""
    names = (re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.MULTILINE) for patch in patches)
    return list(dict.fromkeys(name for found in names for name in found))
