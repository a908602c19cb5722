# SPDX-License-Identifier: GPL-2.0-only
"""A real Prometheus scrapes a real run for a minute, and PromQL gives the workload's own counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dashboards import RULES
from dashboards.queries import queries
from profiler.slots import MODES, RESOLVE_OPS
from profiler.workload.result import Result
from profiler.workload.run import Backing, Options, UnavailableError, run
from tests.service.prometheus import Prometheus, prometheus
from tests.service.running import Running, running

PAGES = 509
INTERVAL = 2
SCRAPES = 30
"""A minute of them; counted, since a busy machine skips some."""
READ: tuple[Backing, ...] = ("memfd", "memfd-private", "tmpfs")


@dataclass(frozen=True)
class Scraped:
    """``results``: what the workload says of each run, with its options."""

    service: Running
    prometheus: Prometheus
    results: list[tuple[Options, Result]]

    def one(self, expr: str) -> float:
        found = self.prometheus.query(expr)
        assert len(found) == 1, (expr, found)
        return found[0].value

    def by(self, label: str, expr: str) -> dict[str, float]:
        found = self.prometheus.query(expr)
        return {sample.labels[label]: sample.value for sample in found if sample.value}


def _cases() -> Iterator[Options]:
    for backing in READ:
        for mode in MODES:
            yield Options(backing=backing, mode=mode, pages=PAGES, noise=1)
    for mode in MODES[1:]:
        yield Options(backing="anon", mode=mode, access="write", pages=PAGES, threads=4)
    yield Options(backing="memfd", mode="missing", cache="empty", pages=PAGES, threads=4)
    yield Options(backing="memfd", mode="minor", wake_first=2, pages=61)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("counts")
    arguments = ("--tick=1", "--policy=mainline", "--collector.resolve")
    with (
        running(folder / "log", *arguments) as service,
        prometheus(folder, f"127.0.0.1:{service.port}", f"{INTERVAL}s", rules=RULES) as scraper,
    ):
        scraper.wait_scraped()
        results = []
        for options in _cases():
            try:
                results.append((options, run(options)))
            except UnavailableError:
                continue
        scraper.wait_scraped(SCRAPES)
        scraper.wait_scraped_anew()
        yield Scraped(service, scraper, results)


def test_it_was_up_all_the_time(scraped: Scraped) -> None:
    assert scraped.one("min(min_over_time(up[10m]))") == 1
    assert scraped.one("max(count_over_time(up[10m]))") >= SCRAPES
    assert [target["lastError"] for target in scraped.prometheus.targets()] == [""]


def test_read_faults_by_mode(scraped: Scraped) -> None:
    own: Counter[str] = Counter()
    for options, result in scraped.results:
        if options.backing in READ:
            own[options.mode] += result.expected_faults
    seen = scraped.by(
        "uffd_mode", 'sum by (uffd_mode) (uffd_read_fault_duration_seconds_count{backing="shmem"})'
    )
    # Others on this machine read shared memory too, but none of it is registered.
    assert seen.pop("none") >= own.pop("none") > 0
    assert seen == dict(own)


def test_fault_around_by_mode(scraped: Scraped) -> None:
    ran = scraped.by(
        "uffd_mode",
        'sum by (uffd_mode) (uffd_read_fault_duration_seconds_count{backing="shmem",fault_around="ran"})',
    )
    assert set(ran) == {"none", "missing"}
    verdicts = {
        sample.labels["uffd_mode"]: sample.labels["verdict"]
        for sample in scraped.prometheus.query("uffd_fault_around_verdict == 1")
    }
    exercised = {options.mode for options, _ in scraped.results if options.backing in READ}
    expected = {
        mode: ("ran" if mode in ("none", "missing") else "skipped") if mode in exercised else "not_exercised"
        for mode in MODES
    }
    assert verdicts == expected
    assert scraped.one("max(uffd_fault_around_policy_violated)") == 0


def test_userfaults_by_reason(scraped: Scraped) -> None:
    own: Counter[str] = Counter()
    rewaits = 0
    for _, result in scraped.results:
        faults = result.expected_userfaults
        own.update(missing=faults.missing, wp=faults.wp, minor=faults.minor)
        rewaits += result.rewaits
    for metric in (
        "uffd_userfaults_begun_total",
        'uffd_userfaults_total{result="resolved"}',
        "uffd_userfault_wait_seconds_count",
        'uffd_userfault_wait_seconds_bucket{le="+Inf"}',
    ):
        assert scraped.by("reason", f"sum by (reason) ({metric})") == dict(+own), metric
    assert rewaits > 0
    assert scraped.one("sum(uffd_userfault_rewaits_total)") == rewaits
    assert scraped.one("sum(uffd_userfaults_waiting)") == 0


def test_resolving_ioctls_by_operation(scraped: Scraped) -> None:
    own: Counter[str] = Counter()
    for _, result in scraped.results:
        for op, by_result in result.ioctls.items():
            if op.lower() in RESOLVE_OPS:
                own[op.lower()] += sum(by_result.values())
    seen = scraped.by("op", "sum by (op) (uffd_resolve_duration_seconds_count)")
    assert seen == dict(+own)


def test_increase_over_time_is_the_whole(scraped: Scraped) -> None:
    """What a dashboard shows: nothing is lost between scrapes."""
    total = "sum(uffd_userfaults_begun_total)"
    assert scraped.one(f"max_over_time(({total})[10m:1s])") == scraped.one(total)
    assert scraped.one("sum(uffd_profiler_missed_events_total)") == 0


def test_exemplars_of_slow_userfaults_reach_prometheus(scraped: Scraped) -> None:
    slow = Options(backing="anon", mode="missing", threads=3, delay_us=20_000, gather=True, pages=3)
    result = run(slow)
    assert result.agrees

    def exemplars() -> list[dict[str, Any]]:
        found = scraped.prometheus.exemplars("uffd_userfault_wait_seconds_bucket")
        return [exemplar for series in found for exemplar in series["exemplars"]]

    scraped.prometheus.until(lambda: any(float(one["value"]) >= 0.02 for one in exemplars()))
    assert all(set(one["labels"]) == {"pid", "tid"} for one in exemplars())


def test_every_query_of_the_dashboard_has_data(scraped: Scraped) -> None:
    empty = [query for query in queries() if not scraped.prometheus.query(query.expr)]
    absent = [query.panel for query in empty if not set(query.metrics) & _absent(scraped)]
    assert absent == []


def _absent(scraped: Scraped) -> set[str]:
    """Metrics that this kernel's ways cannot give; nothing to do with what happened."""
    text = scraped.service.get("/metrics").text
    known = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    return {
        metric
        for query in queries()
        for metric in query.metrics
        if metric.startswith("uffd_") and not any(metric.startswith(name) for name in known)
    }


def test_no_alert_fires_on_a_healthy_run(scraped: Scraped) -> None:
    assert scraped.prometheus.alerts() == []
    assert {rule["health"] for rule in scraped.prometheus.rules()} == {"ok"}
