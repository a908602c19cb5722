# SPDX-License-Identifier: GPL-2.0-only
"""The unprivileged side: take over from the attaching child, drop every privilege, read."""

import ctypes as ct
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from ..errors import Exit, UserError
from ..kernel.clock import clock
from ..profile import KernelFacts
from ..reader import Reader
from ..snapshot import Snapshot
from .accounts import Account, Accounts
from .attaching import Attaching
from .planner import Plan
from .program import WAITING_ROWS
from .request import Request

NOBODY = 65534
# include/uapi/linux/prctl.h
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 3, 4, 38


class Session:
    """Everything attached, from construction to :meth:`close`.

    :param source: what to attach for, or a child that does it already. With the latter, the privileges may
        be dropped by now.
    :raises UserError: when nothing can be attached.
    """

    def __init__(self, source: Request | Attaching) -> None:
        handed = (source if isinstance(source, Attaching) else Attaching(source)).receive()
        facts = handed.facts
        self.plan = Plan.from_json(facts["plan"])
        uname = os.uname()
        self.kernel = KernelFacts(
            uname.release,
            uname.machine,
            facts["fault_around_bytes"],
            facts["minor_flag"],
            clock(),
            tuple(facts["pte_doubts"]),
            facts["uffd_wp_entry"],
        )
        (slots_fd,), (waiting_fd,), (recent_fd,) = (handed.fds[n] for n in ("slots", "waiting", "recent"))
        self._reader = Reader(slots_fd, waiting_fd, recent_fd, facts["cpus"], WAITING_ROWS)
        for fd in (slots_fd, waiting_fd, recent_fd):
            os.close(fd)
        self._links = handed.fds["links"]
        self._statistics = handed.fds["statistics"]
        self._programs = handed.fds["programs"]
        with _proc_self_is_ours():
            self._accounts = Accounts(zip(facts["programs"], self._programs, strict=True))
        self._last: dict[str, Account] = {}
        self._baseline = self._read()

    def snapshot(self) -> Snapshot:
        """Figures since the session began."""
        return self._read() - self._baseline

    def program_runs(self) -> dict[str, tuple[int, int]] | None:
        """Program → runs since it was attached and the ns in them, as of the last :meth:`snapshot`.

        ``None`` when no statistics were asked for, or the kernel refuses them.
        """
        if not self._statistics:
            return None
        return {name: (account.runs, account.ns) for name, account in self._last.items()}

    def _read(self) -> Snapshot:
        self._last = self._accounts.read()
        return self._reader.read({name: account.recursion_misses for name, account in self._last.items()})

    def close(self) -> None:
        """Detach everything."""
        self._accounts.close()
        for fd in (*self._links, *self._programs, *self._statistics):
            os.close(fd)
        self._links, self._programs, self._statistics = [], [], []
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _proc_self_is_ours() -> Iterator[None]:
    """For as long as files of /proc/self are opened.

    After a change of user id a process is not dumpable, and what is in /proc/self belongs to root
    (kernel/cred.c: commit_creds; fs/proc/base.c: task_dump_owner).
    """
    libc = ct.CDLL(None)
    before = libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_DUMPABLE, int(before == 1), 0, 0, 0)


def drop_privileges() -> None:
    """Become nobody: no capability, no group, no way back. Harmless when there is nothing to drop.

    :raises UserError: without CAP_SETUID and CAP_SETGID.
    """
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except PermissionError as error:
            raise UserError(
                "This process cannot become nobody (EPERM), and root it will not stay; give the container or "
                "service CAP_SETUID and CAP_SETGID.",
                Exit.CANNOT_ATTACH,
            ) from error
    libc = ct.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # no other process of nobody's may look inside
