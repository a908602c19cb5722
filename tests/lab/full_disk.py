# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler vm --fetch`` with a cache that has no room."""

import os
import subprocess
import sys

from profiler.errors import Exit

_SCRIPT = 'mount -t tmpfs -o size=24M tmpfs /mnt && exec "$@"'
"""24 MB do not even hold the lists of packages."""


def one_sentence(kernel: str) -> None:
    """Fetching the kernel fails, and says nothing but why."""
    ended = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", _SCRIPT, "sh"),
            *(sys.executable, "-m", "profiler", "vm", "--fetch", kernel),
        ],
        env=os.environ | {"XDG_CACHE_HOME": "/mnt"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == Exit.CANNOT_TELL
    *_, said = ended.stderr.splitlines()
    assert said.startswith("uffd-profiler: the disk is full at /mnt/uffd-profiler; free "), said
    assert "Traceback" not in ended.stderr
