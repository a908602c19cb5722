# SPDX-License-Identifier: GPL-2.0-only
"""The verdict by every way that this kernel has is what the kernel was built to do."""

from collections.abc import Callable

from profiler.hooks.catalogue import WayName
from profiler.hooks.session import Session
from profiler.reports.json import check_document
from profiler.slots import MODES
from profiler.verdict import followed, judge
from profiler.workload.run import Options
from tests.kernel.emulated import run
from tests.kernel.verdicts import Verdict
from tests.modes import SUPPORTED
from tests.policy import EXPECTED, POLICY

PAGES = 509


def test_the_verdict_is_what_the_kernel_was_built_to_do(
    session: Session, way: WayName, record_verdict: Callable[[Verdict], None]
) -> None:
    """On the seed's kernel do_fault_around is entered in every mode: to count entries would be wrong."""
    before = session.snapshot()
    for mode in MODES:
        if mode == "none" or mode in SUPPORTED:
            run(Options(backing="memfd", mode=mode, pages=PAGES))
    seen = session.snapshot() - before
    verdicts = judge(seen, session.plan, session.kernel)
    document = check_document(
        verdicts, session.kernel, session.plan, set(SUPPORTED), None, None, cases=[], exit_code=0
    )
    record_verdict((way, document))
    if session.plan.way("map_pages") == "none":  # by tracepoints alone some kernels cannot tell, and say so
        assert {verdict.answer for verdict in verdicts} == {"not exercised"}
        assert all("map_pages is absent" in verdict.reason for verdict in verdicts)
        return
    for verdict in verdicts:
        exercised = verdict.mode == "none" or verdict.mode in SUPPORTED
        assert verdict.answer == (EXPECTED[verdict.mode] if exercised else "not exercised")
    # Over few modes several policies may agree.
    assert followed(verdicts).name == (POLICY if {"missing"} < SUPPORTED else None)
    _counting_entries_would_be_wrong(session, seen.total("read_fault", fault_around="returned_early").count)


def _counting_entries_would_be_wrong(session: Session, returned_early: int) -> None:
    if session.plan.way("fault_around_entered") != "none":
        registered = PAGES * (len(MODES) - 1)
        assert returned_early == (registered if POLICY == "seed" else 0)
