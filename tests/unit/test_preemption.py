# SPDX-License-Identifier: GPL-2.0-only
"""Whether kernel code can be preempted, from what kernels say of it."""

from pathlib import Path

import pytest

from profiler.kernel.preemption import is_preemptible, preemption

DYNAMIC = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-01-01)"


@pytest.mark.parametrize(
    ("version", "debugfs", "command_line", "expected"),
    [
        (DYNAMIC, "none (voluntary) full \n", "quiet preempt=full", "voluntary"),
        (DYNAMIC, "none voluntary full (lazy)\n", "quiet", "lazy"),
        (DYNAMIC, None, "quiet preempt=none ro", "none"),
        (DYNAMIC, None, "quiet", "unknown"),
        ("#1 SMP Debian 5.10.223-1 (2024-08-10)", None, "preempt=full", "none"),
        ("#1 SMP PREEMPT Mon", None, "", "full"),
        ("#1 SMP PREEMPT_RT Mon", None, "", "full"),
        ("#1 SMP PREEMPT_LAZY Mon", None, "", "lazy"),
    ],
)
def test_the_model_is_what_the_kernel_says(
    tmp_path: Path, version: str, debugfs: str | None, command_line: str, expected: str
) -> None:
    if debugfs is not None:
        (tmp_path / "preempt").write_text(debugfs)
    (tmp_path / "cmdline").write_text(command_line)
    assert preemption(tmp_path / "preempt", tmp_path / "cmdline", version) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [("none", False), ("voluntary", False), ("full", True), ("lazy", True), ("unknown", True)],
)
def test_what_is_not_known_may_be_preempted(model: str, expected: bool) -> None:
    assert is_preemptible(model) is expected
