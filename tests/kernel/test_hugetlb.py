# SPDX-License-Identifier: GPL-2.0-only
"""Huge pages: one userfault per huge page, and never the read path of the page cache."""

import os
from pathlib import Path

import pytest

from profiler.hooks.session import Session
from profiler.workload.run import Options, UnavailableError
from tests.kernel.emulated import run
from tests.modes import possible

PAGES = 7


@pytest.mark.parametrize(
    "options",
    possible(
        [
            Options(backing="hugetlb", mode="missing", cache="empty", pages=PAGES),
            Options(backing="hugetlb", mode="missing", cache="empty", access="write", pages=PAGES),
            Options(backing="hugetlb", mode="minor", cache="full", pages=PAGES),
            Options(backing="hugetlb", mode="wp", populate=True, marker=True, access="write", pages=PAGES),
        ]
    ),
    ids=lambda options: f"{options.mode}-{options.access}",
)
def test_userfaults_of_huge_pages(session: Session, options: Options) -> None:
    throwaway = "UFFD_THROWAWAY" in os.environ
    if throwaway:
        Path("/proc/sys/vm/nr_hugepages").write_text("16")
    before = session.snapshot()
    try:
        result = run(options)
    except UnavailableError as error:
        # A machine of somebody's has the huge pages that it has.
        assert not throwaway
        assert "huge pages" in str(error)
        return
    seen = session.snapshot() - before
    own = result.expected_userfaults
    assert own.total == PAGES
    for reason in ("missing", "wp", "minor"):
        begun = seen.total("userfault_begun", reason=reason, backing="hugetlb").count
        assert begun == getattr(own, reason)
    assert seen.total("userfault", result="resolved", backing="hugetlb").count == PAGES
    assert seen.total("userfault_begun").count == PAGES
    assert seen.total("read_fault", backing="shmem").count == 0
