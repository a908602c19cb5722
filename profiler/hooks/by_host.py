# SPDX-License-Identifier: GPL-2.0-only
"""Programs that the host of a VM compiles: that takes a second there, and 20 emulated.

A guest shares the folder of what it keeps (``kept.py``) with its host, and asks by a file in it:
NAME.ID.wanted, which the host's side (``profiler/lab/compiler.py``) renames to NAME.ID.taken, and removes
once it is done. By then the programs are kept, or the guest has to compile by itself.
"""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

VARIABLE = "UFFD_PROFILER_HOST_COMPILES"
"""Names the folder, in the environment of a guest whose host compiles."""
WANTED, TAKEN = ".wanted", ".taken"

_SECONDS = 60.0
_INTERVAL = 0.05


def ask(name: str, options: Sequence[str]) -> None:
    """Let the host compile, if there is one that does; it has, or will not, when this returns.

    :param name: the key under which it is to be kept.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    wanted = Path(folder, f"{name}.{os.urandom(4).hex()}{WANTED}")
    taken = wanted.with_suffix(TAKEN)
    with suppress(OSError):
        written = wanted.with_suffix(".asking")
        written.write_text(json.dumps(list(options)))
        written.rename(wanted)
        deadline = time.monotonic() + _SECONDS
        # In this order: it is renamed from the first to the second.
        while (wanted.exists() or taken.exists()) and time.monotonic() < deadline:
            time.sleep(_INTERVAL)
        wanted.unlink(missing_ok=True)
