# SPDX-License-Identifier: GPL-2.0-only
"""Another ``fault_around_bytes`` for a while.

A process of its own holds the setting: it puts the old value back when the block ends, and also when this
process dies, by whatever death.
"""

import multiprocessing
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from ..errors import Exit, UserError
from . import settings

_FILE = Path("/sys/kernel/debug/fault_around_bytes")


@contextmanager
def fault_around_bytes(wanted: int | None, file: Path = _FILE) -> Iterator[None]:
    """Set it to ``wanted`` bytes for the length of the block; ``None`` leaves it as it is.

    :raises UserError: debugfs cannot be written here, or the kernel does not take the value: it takes powers
        of two from 4096 to 2 MiB (mm/memory.c: fault_around_bytes_set).
    """
    if wanted is None:
        yield
        return
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    keeper = context.Process(target=_keep, args=(theirs, ours, wanted, file), daemon=False)
    keeper.start()
    theirs.close()
    try:
        refused: str = ours.recv()
        if refused:
            raise UserError(
                f"fault_around_bytes cannot be set to {wanted} ({refused}); it takes root, debugfs without "
                "lockdown, and a power of two from 4096 to 2097152.",
                Exit.CANNOT_TELL,
            )
        yield
    finally:
        ours.close()
        keeper.join()


def _keep(channel: Connection, other_end: Connection, wanted: int, file: Path) -> None:
    other_end.close()
    parent = os.pidfd_open(os.getppid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the parent; its end is waited for
    old = None
    try:
        settings.private_mounts()
        old = file.read_text()
        file.write_text(str(wanted))
        now = int(file.read_text())
        channel.send("" if now == wanted else f"the kernel made {now} of it")
    except (OSError, ValueError) as error:
        channel.send(getattr(error, "strerror", None) or str(error))
    # Whoever else was forked may hold the pipe open: the parent's own end counts as well.
    select.select([channel.fileno(), parent], [], [])
    if old is not None:
        with suppress(OSError):
            file.write_text(old)
