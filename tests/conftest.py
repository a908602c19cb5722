# SPDX-License-Identifier: GPL-2.0-only
"""For all tests: in CI nothing that needs a kernel may be skipped."""

import os
import signal
from collections.abc import Generator

import hypothesis
import pytest

# A loaded machine is no reason for a property to fail.
hypothesis.settings.register_profile(
    "no-deadline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no-deadline")

# A shell ignores SIGINT for what it starts in the background, and so would everything that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

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
