# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on the running kernel, with its negative controls."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from profiler.hooks.catalogue import WayName
from profiler.slots import MODES
from tests.bpf_objects import ids, leftovers, settled
from tests.kernel.emulated import on_one_cpu
from tests.modes import SUPPORTED
from tests.policy import AGAINST, EXPECTED, POLICY
from tests.ways import AVAILABLE

FAULT_AROUND_BYTES = Path("/sys/kernel/debug/fault_around_bytes")
SCHEMAS = Path(__file__).parents[2] / "profiler" / "reports" / "schema"


Done = subprocess.CompletedProcess[str]
Answer = tuple[int, dict[str, Any]]


def _run(*arguments: str, one_cpu: bool = False) -> Done:
    command = [sys.executable, "-m", "profiler", *arguments]
    return subprocess.run(
        on_one_cpu(command) if one_cpu else command,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def _validated(text: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    definition = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator(definition).validate(document)
    return document


def _check(way: WayName, *arguments: str) -> Answer:
    done = _run("check", "--best-way", way, "--json", "-", *arguments, one_cpu=True)
    assert done.stderr == ""
    document = _validated(done.stdout, "check")
    assert document["exit_code"] == done.returncode
    return done.returncode, document


def _can_judge(document: dict[str, Any]) -> bool:
    """By tracepoints alone some kernels cannot tell; then they must say so."""
    ways = {hook["name"]: hook["way"] for hook in document["plan"]}
    return bool(ways["map_pages"] != "none")


def _profile(way: WayName) -> Done:
    # An empty page cache, and MISSING: userfaults on every kernel.
    command = ["workload", "--backing", "memfd", "--mode", "missing", "--cache", "empty", "--pages", "509"]
    own = [sys.executable, "-m", "profiler", *command, "--summary"]
    return _run("profile", "--best-way", way, "--json", "-", "--interval", "0.2", "--", *own)


@dataclass(frozen=True)
class Commands:
    """The commands of one way, each ended in its own way."""

    check: Future[Answer]
    doctor: Future[Done]
    profile: Future[Done]


@pytest.fixture(scope="module")
def commands(way: WayName) -> Commands:
    """Side by side, since each compiles on one CPU for most of its time; all are over when this returns."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return Commands(
            pool.submit(_check, way, "--policy", POLICY),
            pool.submit(_run, "doctor", "--best-way", way),
            pool.submit(_profile, way),
        )


def test_the_policy_that_the_kernel_was_built_with_is_followed(commands: Commands) -> None:
    code, document = commands.check.result()
    if not _can_judge(document):
        assert code == 3
        assert {mode["answer"] for mode in document["modes"]} == {"not exercised"}
        assert all("map_pages is absent" in mode["reason"] for mode in document["modes"])
        return
    answers = {mode["mode"]: mode["answer"] for mode in document["modes"]}
    supported = {mode["mode"] for mode in document["modes"] if mode["supported"]}
    assert supported == {"none", *SUPPORTED}
    for mode in MODES:
        assert answers[mode] == (EXPECTED[mode] if mode in supported else "not exercised")
    assert not any(case["disagreement"] for case in document["cases"])
    assert (code, document["compliance"]) == (0, "follows")
    # Over few modes several policies may agree.
    assert document["followed"] == (POLICY if {"missing"} < SUPPORTED else None)


def test_what_the_kernel_was_not_built_to_do_is_a_violation() -> None:
    before = ids()
    code, document = _check(AVAILABLE[0], "--policy", AGAINST)
    assert (code, document["compliance"]) == (1, "violates")
    answers = {mode["mode"]: mode["answer"] for mode in document["modes"] if mode["supported"]}
    assert answers == {mode: EXPECTED[mode] for mode in ("none", *sorted(SUPPORTED, key=MODES.index))}
    assert not any(case["disagreement"] for case in document["cases"])
    assert settled(before, 60), leftovers(before)


@pytest.fixture
def one_page() -> Iterator[None]:
    """fault_around_bytes of one page; on a kernel that does not let it be set, nothing to test."""
    try:
        old = FAULT_AROUND_BYTES.read_text()
    except OSError:
        yield
        return
    FAULT_AROUND_BYTES.write_text("4096")
    try:
        yield
    finally:
        FAULT_AROUND_BYTES.write_text(old)


def test_without_fault_around_nothing_is_exercised(one_page: None) -> None:
    code, document = _check(AVAILABLE[0])
    if not FAULT_AROUND_BYTES.exists():
        # Locked down on this kernel (the VM's kernel goes on): unknown, and said to be.
        assert document["kernel"]["fault_around_bytes"] is None
        return
    assert document["kernel"]["fault_around_bytes"] == 4096
    assert code == 3
    for mode in document["modes"]:
        assert mode["answer"] == "not exercised"
        assert "fault_around_bytes is 4096" in mode["reason"]


def test_doctor_agrees(way: WayName, commands: Commands) -> None:
    done = commands.doctor.result()
    _, document = commands.check.result()
    assert done.returncode == (0 if _can_judge(document) else 3)
    assert f"fault                 {way}" in done.stdout


def test_real_profiles_follow_the_schema(commands: Commands) -> None:
    done = commands.profile.result()
    assert done.returncode == 0
    # The workload's sentence comes first: the command shares our standard output.
    sentence, _, rest = done.stdout.partition("\n")
    assert "509 faults" in sentence
    document = _validated(rest, "profile")
    begun = document["families"]["userfault_begun"]
    assert sum(entry["count"] for entry in begun) == 509
    assert document["intervals"]
