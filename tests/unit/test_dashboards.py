# SPDX-License-Identifier: GPL-2.0-only
"""The dashboard: code and JSON agree, conventions hold, and it asks for what the service has."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import DASHBOARD, HERE
from dashboards.build import render
from dashboards.queries import (
    ALL,
    OF_PROMETHEUS,
    Query,
    metrics,
    needed,
    panels,
    queries,
    rules,
    scraped,
    selectors,
    substitute,
)
from dashboards.rows import profiler, userfaults
from profiler.hooks.catalogue import Hook, Way
from profiler.hooks.planner import Plan, plan
from profiler.service import DEFAULT_ADDRESS
from profiler.service.live import Runs
from tests.unit import moments, samples
from tests.unit.dashboard_lint import complaints

Model = dict[str, Any]
ROOT = HERE.parent
ALERTS = [rule for rule in rules() if rule.alert]


@pytest.fixture
def model() -> Model:
    committed: Model = json.loads(DASHBOARD.read_text())
    return committed


def by_tracepoints_only_userfaults() -> Plan:
    """A kernel whose tracepoints do not tell read faults."""

    def refuse(hook: Hook, way: Way) -> str | None:
        if way.name != "tracepoint" or hook.name in ("map_pages", "resolve"):
            return "this kernel does not have it"
        return None

    return plan(refuse)


EVERYTHING = samples.fentry_plan(frozenset())
"""Every hook by its best way."""


def idle(hooks: Plan, policy: str | None = "mainline", runs: Runs | None = moments.RUNS) -> str:
    """A whole scrape while nothing happens."""
    nothing = samples.profile(hooks, samples.snapshot({}))
    return moments.scrape(moments.moment(nothing, policy, runs), exclude=())


def names(path: Path, text: str) -> frozenset[str]:
    path.write_text(text)
    return scraped(path)


def test_the_committed_file_is_what_the_code_builds() -> None:
    assert DASHBOARD.read_text() == render(), "run: python -m dashboards"


def test_every_field_is_one_of_grafanas_model(model: Model) -> None:
    read = json.loads(json.dumps(Dashboard.from_json(model), cls=JSONEncoder))
    assert read == model
    assert model["schemaVersion"] == Dashboard().schema_version


def test_it_keeps_the_conventions(model: Model) -> None:
    assert complaints(model) == []


def first(model: Model, kind: str) -> Model:
    return next(panel for panel in panels(model) if panel["type"] == kind)


def expr(change: Callable[[str], str]) -> Callable[[Model], None]:
    def defect(model: Model) -> None:
        target = first(model, "timeseries")["targets"][0]
        target["expr"] = change(target["expr"])

    return defect


def quantile_without_le(model: Model) -> None:
    target = next(t for p in panels(model) for t in p["targets"] if "histogram_quantile" in t["expr"])
    target["expr"] = target["expr"].replace("le, ", "")


DEFECTS: dict[str, Callable[[Model], None]] = {
    "editable": lambda m: m.update(editable=True),
    "has an id": lambda m: m.update(id=1),
    "lacks uid": lambda m: m.update(uid=""),
    "one title": lambda m: first(m, "stat").update(title=first(m, "heatmap")["title"]),
    "not one data source": lambda m: m["templating"]["list"][0].update(name="prometheus"),
    "no variable instance": lambda m: m["templating"]["list"].pop(2),
    "refresh of variable job": lambda m: m["templating"]["list"][1].update(refresh=1),
    "allValue of variable job": lambda m: m["templating"]["list"][1].update(allValue=".*"),
    "one id": lambda m: m["panels"][2].update(id=2),
    "on another": lambda m: first(m, "heatmap")["gridPos"].update(x=1),
    "not fit": lambda m: first(m, "heatmap")["gridPos"].update(w=25),
    "lacks a title": lambda m: first(m, "heatmap").update(title=""),
    "or a description": lambda m: first(m, "heatmap").pop("description"),
    "no unit that": lambda m: first(m, "stat")["fieldConfig"]["defaults"].update(unit="ms"),
    "having no series": lambda m: first(m, "stat")["fieldConfig"]["defaults"].pop("noValue"),
    "source chosen": lambda m: first(m, "stat")["targets"][0].update(datasource={"uid": "P1"}),
    "no query": lambda m: first(m, "stat").update(targets=[]),
    "without a legend": lambda m: first(m, "stat")["targets"][0].pop("legendFormat"),
    "at its axis": lambda m: first(m, "heatmap")["options"]["yAxis"].pop("unit"),
    "from buckets": lambda m: first(m, "heatmap")["targets"][0].update(format="time_series"),
    "no PromQL": expr(lambda e: e[:-1]),
    "every target": expr(lambda e: e.replace('instance=~"$instance"', 'instance="$instance"')),
    "not $__rate_interval": expr(lambda e: e.replace("$__rate_interval", "5m")),
    "not under rate": expr(lambda e: e.replace("rate(", "delta(")),
    "not summed by le": quantile_without_le,
}


@pytest.mark.parametrize("complaint", DEFECTS)
def test_a_defect_is_found(model: Model, complaint: str) -> None:
    broken = deepcopy(model)
    DEFECTS[complaint](broken)
    found = complaints(broken)
    assert len(found) >= 1
    assert any(complaint in one for one in found), found


def test_every_metric_asked_for_exists(tmp_path: Path) -> None:
    assert needed() <= names(tmp_path / "scrape", idle(EVERYTHING))


def test_every_metric_of_the_service_is_shown(tmp_path: Path) -> None:
    """But for those that say the same as one that is shown, and what the client library adds of a process."""
    there = names(tmp_path / "scrape", idle(EVERYTHING))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in there if name.startswith("uffd_")}
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in needed()}
    assert families - asked == set()


def test_a_metric_that_does_not_exist_is_found(tmp_path: Path) -> None:
    there = names(tmp_path / "scrape", idle(EVERYTHING))
    assert metrics("rate(uffd_userfault_total[1m])") - there == {"uffd_userfault_total"}


@pytest.mark.parametrize(
    "hooks", [samples.tracepoint_plan(), by_tracepoints_only_userfaults()], ids=["6.18", "6.1"]
)
def test_a_panel_that_can_be_empty_says_so(model: Model, hooks: Plan, tmp_path: Path) -> None:
    there = names(tmp_path / "scrape", idle(hooks, None, None)) | OF_PROMETHEUS
    for panel in panels(model):
        missing = [t for t in panel["targets"] if not answerable(substitute(t["expr"], ALL), there)]
        if missing:
            assert re.search("absent", panel["description"], re.IGNORECASE), panel["title"]


def answerable(query: str, there: frozenset[str]) -> bool:
    """Of the alternatives that ``or`` joins one has all its metrics."""
    parts = re.split(r" or (?:on \([^)]*\) )?", query)
    assert all(part.count("(") == part.count(")") for part in parts), "an alternative in parentheses"
    return any(metrics(part) <= there for part in parts)


def test_what_has_a_mode_is_asked_for_the_modes_chosen() -> None:
    with_mode = set(re.findall(r"^(\w+)\{[^}]*uffd_mode=", idle(EVERYTHING), re.MULTILINE))
    marked = ALL | {"uffd_mode": "CHOSEN"}
    asked = [s for query in queries(marked) for s in selectors(query.expr) if s.name in with_mode]
    assert asked
    for selector in asked:
        assert 'uffd_mode=~"CHOSEN"' in map(str, selector.matchers.matchers), selector


@pytest.mark.parametrize("suffix", ["heat map", "quantiles"])
def test_every_histogram_is_shown_as(suffix: str) -> None:
    asked = {name for name in needed() if name.endswith("_bucket")}
    exprs = [query.expr for query in queries()]
    beginning = "histogram_quantile" if suffix == "quantiles" else "sum by (le) "
    assert len(asked) == 6
    for name in asked:
        assert any(e.startswith(beginning) and name in e for e in exprs), name


def test_variables_are_replaced_in_both_spellings() -> None:
    assert substitute('x{a="$job", b="${instance}"}[$w]', {"job": "j", "instance": "i", "w": "1m"}) == (
        'x{a="j", b="i"}[1m]'
    )
    with pytest.raises(KeyError):
        substitute("$unknown", ALL)


def test_queries_come_with_their_panels(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    inner = {"type": "stat", "title": "folded in", "targets": [{"expr": 'up{job=~"$job"}'}]}
    row = {"type": "row", "title": "row", "panels": [inner]}
    path.write_text(json.dumps({"panels": [row, inner | {"title": "below"}]}))
    assert queries(path=path) == [Query("folded in", 'up{job=~".+"}'), Query("below", 'up{job=~".+"}')]
    assert queries(path=path)[0].metrics == {"up"}


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("UffdUserfaultStuck", userfaults.STUCK_SECONDS),
        ("UffdProfilerCpuHigh", profiler.CPU_LIMIT),
        ("UffdProfilerMemoryHigh", profiler.MEMORY_LIMIT),
    ],
)
def test_lines_drawn_are_the_limits_of_the_alerts(alert: str, limit: float) -> None:
    compared = next(rule.expr for rule in ALERTS if rule.name == alert).partition(">")[2]
    product = 1.0
    for factor in re.findall(r"[\d.]+", compared):
        product *= float(factor)
    assert product == limit


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule.name)
def test_an_alert_has_severity_words_and_a_page(alert: Any) -> None:
    assert re.fullmatch(r"Uffd([A-Z][a-z]+)+", alert.name)
    assert alert.labels["severity"] in ("critical", "warning", "info")
    assert alert.annotations["summary"].endswith(".")
    assert alert.annotations["description"].rstrip().endswith(".")
    page, _, anchor = alert.annotations["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]
    assert anchor == alert.name.lower()


def test_the_page_describes_alerts_that_exist() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    assert re.findall(r"^## (Uffd\w+)$", page, re.MULTILINE) == [alert.name for alert in ALERTS]
    for section in page.split("\n## Uffd")[1:]:
        assert [word in section for word in ("**Means.**", "**Causes.**", "**Do.**")] == [True] * 3


def test_recorded_names_say_level_metric_and_operation() -> None:
    for rule in rules():
        assert rule.alert or re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule.name)
        assert not re.search(r"\bby \(", rule.expr), "without() keeps labels that a target was given"


def test_the_example_scrapes_the_default_address() -> None:
    example = yaml.safe_load((HERE / "prometheus.yaml").read_text())
    (job,) = example["scrape_configs"]
    assert job["static_configs"] == [{"targets": [DEFAULT_ADDRESS]}]
    for alert in ALERTS:
        for named in re.findall(r'job="([^"]+)"', alert.expr):
            assert named == job["job_name"]
    for name in example["rule_files"]:
        assert (HERE / name).is_file()


def test_provisioning_knows_the_scrape_interval_and_a_folder() -> None:
    example = yaml.safe_load((HERE / "prometheus.yaml").read_text())
    source = yaml.safe_load((HERE / "provisioning/datasources/prometheus.yaml").read_text())
    provider = yaml.safe_load((HERE / "provisioning/dashboards/uffd-profiler.yaml").read_text())
    assert source["datasources"][0]["jsonData"]["timeInterval"] == example["global"]["scrape_interval"]
    assert source["datasources"][0]["type"] == "prometheus"
    assert provider["providers"][0]["options"]["path"]
    assert (source["apiVersion"], provider["apiVersion"]) == (1, 1)
