# SPDX-License-Identifier: GPL-2.0-only
"""The grid on the running kernel: one block of runs."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from ..comparison.documents import ProfileDocument
from ..comparison.runs import Run, Series
from ..errors import Exit, UserError
from ..hooks.catalogue import WayName
from ..hooks.processes import FOLLOWED
from ..hooks.request import Request
from ..hooks.session import Session, drop_privileges
from ..profile import Command, Profile
from ..reports import json
from ..workload.result import Result
from ..workload.run import Options, UnavailableError
from ..workload.runner import Runner
from .grid import shuffled

_PAGE = 4096


@dataclass(frozen=True)
class Wanted:
    """One series. ``label``: the kernel's name in the comparison, ``None`` for its release."""

    cells: tuple[Options, ...]
    repetitions: int
    block: int
    best_way: WayName
    label: str | None


def measure(wanted: Wanted) -> Series:
    """Run every cell that this kernel can, ``repetitions`` times without probes and as often with them.

    The profile of a run covers its touches alone: setting up and ending are not in it. This process is nobody
    afterwards.

    :raises UserError: nothing can be attached, a run broke or counted otherwise than the probes, or this
        kernel can run none of the cells.
    """
    with closing(Runner()) as runner:
        possible, bare = _bare(runner, wanted)
        started = time.monotonic_ns()
        with Session(Request({runner.pid: FOLLOWED}, wanted.best_way, resolve=False)) as session:
            attach_ns = time.monotonic_ns() - started
            drop_privileges()
            runs = tuple(_runs(session, runner, wanted, possible, bare, attach_ns))
            kernel = session.kernel
    return Series(wanted.label or kernel.release, kernel.clock, kernel.fault_around_bytes, runs)


def _bare(runner: Runner, wanted: Wanted) -> tuple[tuple[Options, ...], dict[tuple[Options, int], int]]:
    """The cells that can be run here, and the time of their touches while nothing is attached, in ns."""
    possible: dict[Options, None] = {}
    refused = ""
    times: dict[tuple[Options, int], int] = {}
    for repetition in range(wanted.repetitions):
        for options in shuffled(wanted.cells, wanted.block, repetition):
            try:
                result = runner.run(options)
            except UnavailableError as error:
                refused = str(error)
                continue
            possible[options] = None
            times[options, repetition] = result.touch_ns_total
    if not possible:
        raise UserError(f"This kernel can run none of the cells: {refused}.", Exit.CANNOT_TELL)
    return tuple(cell for cell in wanted.cells if cell in possible), times


def _runs(
    session: Session,
    runner: Runner,
    wanted: Wanted,
    possible: tuple[Options, ...],
    bare: dict[tuple[Options, int], int],
    attach_ns: int,
) -> Iterator[Run]:
    for repetition in range(wanted.repetitions):
        for options in shuffled(possible, wanted.block, repetition):
            started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            with runner.held(options) as workload:
                before = session.snapshot()
                workload.touch()
                after = session.snapshot()
                result = workload.result()
            command = Command(("workload", *options.argv()), 0)
            seen = after - before
            profile = Profile(started_at, (), command, session.kernel, session.plan, seen, (), attach_ns)
            _check(profile, options, result)
            document = cast(ProfileDocument, json.document(profile))
            touched = options.pages * result.page_size // _PAGE
            yield Run(result.options, touched, repetition, wanted.block, document, bare[options, repetition])


def _check(profile: Profile, options: Options, result: Result) -> None:
    """A series whose probes did not count what the workload did would compare nothing."""
    seen = profile.total
    pairs: Sequence[tuple[str, str, int, int]] = (
        ("read_fault", "read faults", seen.total("read_fault", uffd_mode=options.mode, backing="shmem").count,
         result.expected_faults),
        ("userfault", "userfaults", seen.total("userfault_begun").count, result.expected_userfaults.total),
    )  # fmt: skip
    for hook, what, probes, own in pairs:
        if profile.plan.way(hook) != "none" and probes != own:
            raise UserError(
                f"The probes saw {probes} {what} of a workload that took {own} ({' '.join(options.argv())}); "
                "end what else uses userfaultfd here, and measure again.",
                Exit.CANNOT_TELL,
            )
