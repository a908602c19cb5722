# SPDX-License-Identifier: GPL-2.0-only
"""The session while it serves: attaching first, then one frozen :class:`Moment` for whoever asks."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ..hooks.planner import Plan
from ..hooks.session import Session
from ..profile import KernelFacts, Profile
from ..snapshot import Snapshot
from ..verdict import Compliance, Followed, Verdict, compare, followed, judge, policy
from .evidence import Evidence

Runs = dict[str, tuple[int, int]]
"""Program → runs, and ns in them."""


class NotAttachedError(Exception):
    """Nothing is attached yet, or it never will be; the message says which."""


@dataclass(frozen=True)
class Moment:
    """All that is known now; every answer of the service is made from one.

    ``total``: since attached. ``evidence``: the part of it that is judged. ``unix_offset_ns``: what makes
    CLOCK_MONOTONIC the time of day. ``runs``: ``None`` when the kernel keeps no run statistics for us.
    ``policy``: declared at start, by its name or written out. ``modes``: what this kernel can register.
    """

    total: Snapshot
    evidence: Snapshot
    plan: Plan
    kernel: KernelFacts
    started_at: str
    attach_ns: int
    unix_offset_ns: int
    runs: Runs | None
    policy: str | None
    modes: frozenset[str]

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One per uffd mode."""
        return judge(self.evidence, self.plan, self.kernel)

    @property
    def followed(self) -> Followed:
        """Known policies that the verdicts fit."""
        return followed(self.verdicts)

    @property
    def compliance(self) -> Compliance | None:
        """With the declared policy; ``None`` without one."""
        return compare(self.verdicts, policy(self.policy), set(self.modes)) if self.policy else None

    def profile(self, total: Snapshot | None = None, started_at: str | None = None) -> Profile:
        """As the command line has it: since attached, or of a window."""
        return Profile(
            started_at or self.started_at, (), None, self.kernel, self.plan, total or self.total, (),
            self.attach_ns,
        )  # fmt: skip


class Live:
    """The one place that holds the session.

    :param policy: what the kernel is expected to do, as ``check --policy`` has it.
    :param modes: uffd modes that this kernel supports.
    """

    def __init__(self, policy: str | None, modes: frozenset[str]) -> None:
        self._policy = policy
        self._modes = modes
        self._session: Session | None = None
        self._failure: str | None = None
        self._evidence = Evidence()
        self._lock = threading.Lock()  # files of the session are read by seek and read

    def attached(self, session: Session, attach_ns: int) -> None:
        """From now on there are figures."""
        self._attach_ns = attach_ns
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._session = session

    def failed(self, reason: str) -> None:
        """Nothing can be attached."""
        self._failure = reason

    @property
    def session(self) -> Session | None:
        """``None`` while attaching."""
        return self._session

    def moment(self) -> Moment:
        """Read everything.

        :raises NotAttachedError: before it is attached.
        """
        session = self._session
        if session is None:
            raise NotAttachedError(self._failure or "the probes are being attached")
        with self._lock:
            total = session.snapshot()
            runs = session.program_runs()
        offset = time.time_ns() - time.monotonic_ns()
        return Moment(
            total, self._evidence.of(total), session.plan, session.kernel, self._started_at,
            self._attach_ns, offset, runs, self._policy, self._modes,
        )  # fmt: skip

    def tick(self) -> Moment:
        """A moment, after which evidence that something is missing from is left behind."""
        moment = self.moment()
        self._evidence.renew(moment.total)
        return moment

    def close(self) -> None:
        """Detach everything."""
        session, self._session = self._session, None
        if session:
            session.close()
