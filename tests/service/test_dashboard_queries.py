# SPDX-License-Identifier: GPL-2.0-only
"""Every query of every panel in a real Prometheus, on a machine on which nothing happens."""

import re
from collections.abc import Iterator

import pytest

from dashboards import RULES
from dashboards.queries import ALL, OF_PROMETHEUS, Query, queries, rules
from dashboards.rows.verdict import COMPLIANCE, UNKNOWN, VERDICTS
from profiler.service.live import Runs
from profiler.slots import MODES
from tests.service.prometheus import Prometheus, prometheus
from tests.service.served import served
from tests.unit import moments, samples

EVERYTHING = samples.fentry_plan(frozenset())
EXPRS = list(dict.fromkeys(queries()))


def idle(policy: str | None, runs: Runs | None) -> str:
    nothing = samples.profile(EVERYTHING, samples.snapshot({}))
    text = moments.scrape(moments.moment(nothing, policy, runs), exclude=())
    # The process is that of the tests, which may be of any size.
    return re.sub(r"(?m)^(process_resident_memory_bytes) .*", r"\1 5e+07", text)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Of a service that has every family."""
    text = idle("mainline", moments.RUNS)
    with (
        served(lambda: text) as target,
        prometheus(tmp_path_factory.mktemp("complete"), target, rules=RULES) as started,
    ):
        started.wait_scraped(3)
        yield started


@pytest.fixture(scope="module")
def undeclared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Of a service without policy, and of a kernel whose run statistics are off."""
    text = idle(None, None)
    with (
        served(lambda: text) as target,
        prometheus(tmp_path_factory.mktemp("undeclared"), target) as started,
    ):
        started.wait_scraped(3)
        yield started


def ask(of: Prometheus, panel: str) -> dict[str, float]:
    """The one query of a panel, by the label that tells its series apart."""
    (query,) = (query for query in queries() if query.panel == panel)
    return {s.labels.get("uffd_mode") or s.labels.get("policy", ""): s.value for s in of.query(query.expr)}


@pytest.mark.parametrize("query", EXPRS, ids=lambda query: query.panel)
def test_it_gives_a_sample(complete: Prometheus, query: Query) -> None:
    assert complete.query(query.expr)


@pytest.mark.parametrize("query", EXPRS, ids=lambda query: query.panel)
def test_it_gives_a_sample_without_policy_and_statistics(undeclared: Prometheus, query: Query) -> None:
    absent = any("uffd_profiler_overhead" in metric for metric in query.metrics)
    assert bool(undeclared.query(query.expr)) != absent


@pytest.mark.parametrize("query", EXPRS, ids=lambda query: query.panel)
def test_it_gives_nothing_of_another_instance(complete: Prometheus, query: Query) -> None:
    other = dict(zip(EXPRS, queries(ALL | {"instance": "another:28333"}), strict=True))[query]
    assert complete.query(other.expr) == []


def test_an_idle_machine_reads_as_one(complete: Prometheus) -> None:
    assert ask(complete, "Oldest wait") == {"": 0}
    assert ask(complete, "Threads waiting now") == {"": 0}
    assert ask(complete, "Fault-around by uffd mode") == dict.fromkeys(MODES, 0)
    assert VERDICTS[0][0] == "not exercised"
    assert ask(complete, "fault_around_bytes") == {"": 65536}


def test_a_policy_that_is_declared_and_one_that_is_not(complete: Prometheus, undeclared: Prometheus) -> None:
    assert ask(complete, "Declared policy") == {"mainline": 1}
    assert ask(undeclared, "Declared policy") == {"none": 1}
    assert COMPLIANCE[-1][0] == "not declared"
    declared = ask(complete, "Against the declared policy")
    assert declared == dict.fromkeys(MODES, 0) | {"none": declared["none"]}
    assert set(ask(undeclared, "Against the declared policy").values()) == {-1}
    assert set(UNKNOWN) == {-1}


def test_rules_evaluate_and_nothing_fires(complete: Prometheus) -> None:
    complete.until(lambda: all(rule["health"] == "ok" for rule in complete.rules()))
    assert len(complete.rules()) == len(rules())
    pending = {alert["labels"]["alertname"] for alert in complete.alerts()}
    assert pending <= {"UffdFaultAroundPolicyUnverified"}  # of a day, on a machine where nothing happens
    assert {s.labels["hook"] for s in complete.query("instance_hook:uffd_profiler_missed_events:increase15m")}


def test_prometheus_adds_what_it_is_said_to(complete: Prometheus) -> None:
    for name in OF_PROMETHEUS:
        assert complete.query(name)
