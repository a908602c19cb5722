# SPDX-License-Identifier: GPL-2.0-only
"""The Prometheus of the tests: it really scrapes, answers, refuses, and ends."""

import math
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.service.prometheus import Prometheus, QueryError, Sample, prometheus
from tests.service.served import served

EXPOSITION = """\
# TYPE a_total counter
a_total{{b="c"}} {scrapes}
# TYPE nothing gauge
nothing NaN
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    scrapes = count(100, 100)
    with (
        served(lambda: EXPOSITION.format(scrapes=next(scrapes))) as target,
        prometheus(tmp_path_factory.mktemp("prometheus"), target) as started,
    ):
        started.wait_scraped(3)
        yield started


def test_it_scrapes_again_and_again(running: Prometheus) -> None:
    (sample,) = running.query("a_total")
    assert sample.value >= 300
    assert sample.value % 100 == 0
    assert {"__name__": "a_total", "b": "c", "job": "uffd-profiler"}.items() <= sample.labels.items()
    running.until(lambda: running.query(f"a_total > {sample.value}"))
    assert [one.labels["b"] for one in running.query("rate(a_total[1m]) > 0")] == ["c"]


def test_results_of_every_kind(running: Prometheus) -> None:
    assert running.query("1 + 1") == [Sample({}, 2.0)]
    assert running.query("no_such_metric") == []
    (nothing,) = running.query("nothing")
    assert math.isnan(nothing.value)


def test_an_expression_that_is_none_is_refused(running: Prometheus) -> None:
    with pytest.raises(QueryError, match="parse error"):
        running.query("sum by (a")


def test_a_target_that_is_not_there_is_down(tmp_path: Path) -> None:
    with served(lambda: "") as gone:
        pass
    with prometheus(tmp_path, gone) as started:
        started.until(lambda: started.query("up == 0"))
        (target,) = started.targets()
        assert target["health"] == "down"
        assert "connection refused" in target["lastError"]
        pid = started.pid
        assert Path(f"/proc/{pid}").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_prometheus_that_cannot_start_fails_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="not a valid"),
        prometheus(tmp_path, "127.0.0.1:1", interval="soon"),
    ):
        pass
