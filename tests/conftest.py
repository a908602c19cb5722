# SPDX-License-Identifier: GPL-2.0-only
"""For all tests: in CI nothing that needs a kernel may be skipped."""

import os
from collections.abc import Generator

import hypothesis
import pytest

# A loaded machine is no reason for a property to fail.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")

_NEVER_SKIPPED = ("tests/kernel", "tests/lab", "tests/cli", "tests/service", "tests/browser", "tests/image")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and item.nodeid.startswith(_NEVER_SKIPPED):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, which counts as a failure: {report.longrepr}"
    return report
