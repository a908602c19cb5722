# SPDX-License-Identifier: GPL-2.0-only
"""What `doctor` says of capabilities is what attaching needs, and no more."""

import pytest

from profiler.commands.doctor import _capabilities

SYS_ADMIN, SYSLOG, PERFMON, BPF = (1 << bit for bit in (21, 34, 38, 39))


@pytest.mark.parametrize(
    ("effective", "state", "words"),
    [
        (SYS_ADMIN | SYSLOG | PERFMON | BPF, "ok", "CAP_BPF"),
        (SYS_ADMIN | SYSLOG, "ok", "CAP_SYS_ADMIN"),
        (SYSLOG | PERFMON | BPF, "note", "without CAP_SYS_ADMIN no figures"),
        (SYS_ADMIN | PERFMON | BPF, "lack", "without CAP_SYSLOG"),
        (SYSLOG | PERFMON, "lack", "without CAP_BPF"),
        (SYSLOG | BPF, "lack", "without CAP_PERFMON"),
        (0, "lack", "without CAP_PERFMON, CAP_BPF, CAP_SYSLOG"),
    ],
)
def test_only_what_attaching_needs_is_a_lack(effective: int, state: str, words: str) -> None:
    found = _capabilities(effective)
    assert found.state == state
    assert words in found.found
