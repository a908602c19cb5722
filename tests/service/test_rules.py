# SPDX-License-Identifier: GPL-2.0-only
"""The alert rules by promtool: they are valid, and each fires when it should and only then."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards import HERE, RULES
from dashboards.queries import Rule, queries, rules

TESTS = sorted((HERE / "rules" / "tests").glob("*.yaml"))
ALERTS = [rule.name for rule in rules() if rule.alert]
NEVER = "vector(1) < 0"
ALWAYS = 'label_replace(vector(42), "instance", "wrong:28333", "", "")'


def promtool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )


def test_rules_are_valid() -> None:
    done = promtool("check", "rules", *RULES)
    assert done.returncode == 0, done.stdout


def test_the_example_is_valid() -> None:
    done = promtool("check", "config", HERE / "prometheus.yaml")
    assert done.returncode == 0, done.stdout
    assert "2 rule files found" in done.stdout


def test_every_query_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    found = [{"record": f"query:{i}", "expr": query.expr} for i, query in enumerate(queries())]
    assert found
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": found}]}))
    done = promtool("check", "rules", "--lint=none", path)
    assert done.returncode == 0, done.stdout
    path.write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": [{"record": "q", "expr": "sum("}]}]}))
    assert promtool("check", "rules", "--lint=none", path).returncode != 0


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.stem)
def test_rules_behave(test: Path) -> None:
    done = promtool("test", "rules", test)
    assert done.returncode == 0, done.stdout


def judged(tmp_path: Path, alert: str, expr: str) -> list[str]:
    """What the tests of an alert say when its expression is another: a text for each file that fails."""
    copy = shutil.copytree(HERE / "rules", tmp_path / "rules")
    path = copy / "alerts.yaml"
    document = yaml.safe_load(path.read_text())
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] == alert]
        for rule in group["rules"]:
            rule["expr"] = expr
    path.write_text(yaml.safe_dump(document))
    found = []
    for test in sorted((copy / "tests").iterdir()):
        cases = yaml.safe_load(test.read_text())
        for case in cases["tests"]:
            case["alert_rule_test"] = [a for a in case["alert_rule_test"] if a["alertname"] == alert]
            case.pop("promql_expr_test", None)
        cases["tests"] = [case for case in cases["tests"] if case["alert_rule_test"]]
        if cases["tests"]:
            test.write_text(yaml.safe_dump(cases))
            done = promtool("test", "rules", test)
            assert "parse error" not in done.stdout
            if done.returncode:
                found.append(done.stdout)
    return found


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_fails_its_test(alert: str, tmp_path: Path) -> None:
    assert any("got:[]" in re.sub(r"\s", "", said) for said in judged(tmp_path, alert, NEVER))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_always_fires_fails_its_test(alert: str, tmp_path: Path) -> None:
    assert any("exp:[]" in re.sub(r"\s", "", said) for said in judged(tmp_path, alert, ALWAYS))


START = "uffd_userfault_oldest_start_timestamp_seconds"
AGE = f"timestamp({START}) - {START}"
HOOK = "uffd_profiler_hook_attached"
MISTAKES = {
    "NaN taken for long": ("UffdUserfaultStuck", f"{AGE} unless ({AGE} <= 10)"),
    "an old scrape taken for a long wait": ("UffdUserfaultStuck", f"time() - {START} > 10"),
    "a limit too low": ("UffdUserfaultStuck", f"{AGE} > 1"),
    "a hook that never was taken for lost": ("UffdProfilerHookLost", f"max without (way) ({HOOK}) == 0"),
    "a hook lost in a restart overlooked": (
        "UffdProfilerHookLost",
        f'max without (way) ({HOOK}{{way!="none"}}) == 0',
    ),
    "a hook lost long ago forgotten": (
        "UffdProfilerHookLost",
        f"max without (way) ({HOOK}) == 0 and max without (way) (max_over_time({HOOK}[6h])) == 1",
    ),
    "unregistered memory taken for a mode": (
        "UffdFaultAroundPolicyUnverified",
        "uffd_fault_around_policy_info unless ignoring (policy) sum without (uffd_mode, verdict) "
        '(uffd_fault_around_verdict{verdict=~"ran|skipped"} == 1)',
    ),
    "other processes taken for the profiler": (
        "UffdProfilerMemoryHigh",
        "process_resident_memory_bytes > 64 * 1024 * 1024",
    ),
    "other jobs taken for the profiler": ("UffdProfilerDown", "up == 0"),
    "a miss of long ago": ("UffdProfilerMissedEvents", "uffd_profiler_missed_events_total > 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_likely_mistake_fails_the_test(mistake: str, tmp_path: Path) -> None:
    assert judged(tmp_path, *MISTAKES[mistake])


@pytest.mark.parametrize("alert", [rule for rule in rules() if rule.alert], ids=lambda rule: rule.name)
def test_the_alert_as_it_is_passes(alert: Rule, tmp_path: Path) -> None:
    """What the cases above change is the expression alone."""
    assert judged(tmp_path, alert.name, alert.expr) == []


def test_zeros_are_not_written_in_hexadecimal() -> None:
    """promtool reads 0x60 as 96, not as sixty times 0."""
    for test in TESTS:
        assert not re.search(r"values:.*(?<![+\d])0x", test.read_text()), test
