# SPDX-License-Identifier: GPL-2.0-only
"""The userfaultfd modes that the running kernel has, for parametrized tests: what it cannot do is no case.

``UFFD_EXPECT_MODES`` (e.g. ``missing,wp,minor``) names those of shared memory that it must have, so that none
can be lost unnoticed: see test_ways.py.
"""

import os
from collections.abc import Iterable

from profiler.kernel import userfaultfd
from profiler.workload.run import Options
from tests.policy import skips

EXPECTED = frozenset(os.environ.get("UFFD_EXPECT_MODES", "missing,wp,minor").split(","))


def _supported() -> frozenset[str]:
    fd = userfaultfd.open_for_user_mode()
    try:
        return userfaultfd.supported_modes(userfaultfd.features(fd))
    finally:
        os.close(fd)


SUPPORTED = _supported()
"""Of shared memory; anonymous memory has MISSING and WP on every kernel since v5.7."""


def possible(cases: Iterable[Options]) -> list[Options]:
    """Those that this kernel can run.

    It needs the mode, for uffd-wp of pages that are gone pte markers, and to have a thread wait in a MINOR
    region, a kernel that does not fault around there.
    """
    return [case for case in cases if _can(case)]


def _can(case: Options) -> bool:
    if case.backing == "anon":
        return not case.marker or case.populate or "wp" in SUPPORTED
    if case.unregister_while_waiting and "minor" in case.mode and not skips(case.mode):
        return False
    return case.mode == "none" or case.mode in SUPPORTED
