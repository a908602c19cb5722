# SPDX-License-Identifier: GPL-2.0-only
"""What Grafana's dashboard linter asks of a dashboard, and some of our own; each finding is one sentence."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import promql_parser

from dashboards.queries import panels, selectors, substitute

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"none", "cps", "s", "bytes", "percentunit"}
COUNTERS = ("_total", "_bucket", "_count", "_sum")
RATES = ("rate", "increase")
WINDOW = timedelta(minutes=47)
"""Stands for $__rate_interval, and for nothing that somebody would write."""

VALUES = {"job": "$job", "instance": "$instance", "uffd_mode": "$uffd_mode", "__rate_interval": "47m"}
"""Variables stay what they are, but for the window, without which an expression is no PromQL."""

Model = Mapping[str, Any]
Node = TypeVar("Node", bound=promql_parser.Expr)


def complaints(model: Model) -> list[str]:
    """Everything that is wrong."""
    return [
        *_whole(model),
        *_variables(model),
        *_layout(model),
        *(c for p in panels(model) for c in _panel(p)),
    ]


def _whole(model: Model) -> Iterator[str]:
    if model["editable"]:
        yield "the dashboard is editable"
    if "id" in model:
        yield "the dashboard has an id, which belongs to one Grafana"
    if not (model["uid"] and model["title"] and model["description"]):
        yield "the dashboard lacks uid, title or description"
    titles = [panel["title"] for panel in panels(model)]
    if len(set(titles)) < len(titles):
        yield "two panels have one title"


def _variables(model: Model) -> Iterator[str]:
    found = {variable["name"]: variable for variable in model["templating"]["list"]}
    sources = [v for v in found.values() if v["type"] == "datasource"]
    if [(v["name"], v["label"], v["query"]) for v in sources] != [
        ("datasource", "Data source", "prometheus")
    ]:
        yield "there is not one data source variable, named datasource"
    for name in ("job", "instance", "uffd_mode"):
        variable = found.get(name)
        if not variable:
            yield f"there is no variable {name}"
            continue
        wanted = {"type": "query", "multi": True, "includeAll": True, "allValue": ".+", "refresh": 2}
        wanted |= {"datasource": SOURCE, "label": name.capitalize().replace("_", " ")}
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield f"{key} of variable {name} is {variable.get(key)!r}"


def _layout(model: Model) -> Iterator[str]:
    numbers = [panel["id"] for panel in model["panels"]]
    if len(set(numbers)) < len(numbers):
        yield "two panels have one id"
    taken: set[tuple[int, int]] = set()
    for panel in model["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if at["x"] + at["w"] > 24:
            yield f"{panel['title']} does not fit into the width"
        if cells & taken:
            yield f"{panel['title']} lies on another panel"
        taken |= cells


def _panel(panel: Model) -> Iterator[str]:
    name = panel.get("title") or f"panel {panel['id']}"
    if not panel.get("title") or not panel.get("description", "").endswith("."):
        yield f"{name} lacks a title or a description in sentences"
    defaults = panel["fieldConfig"]["defaults"]
    if defaults.get("unit") not in UNITS:
        yield f"{name} has no unit that is known"
    if not defaults.get("noValue"):
        yield f"{name} does not say what having no series means"
    if panel.get("datasource") != SOURCE or any(t.get("datasource") != SOURCE for t in panel["targets"]):
        yield f"{name} does not ask the data source chosen"
    letters = [target["refId"] for target in panel["targets"]]
    if not letters or len(set(letters)) < len(letters):
        yield f"{name} has no query, or two of one letter"
    if panel["type"] == "heatmap":
        yield from _heatmap(name, panel)
    for target in panel["targets"]:
        if not target.get("legendFormat"):
            yield f"{name} has series without a legend"
        yield from (f"{name}: {complaint}" for complaint in _query(target["expr"]))


def _heatmap(name: str, panel: Model) -> Iterator[str]:
    if panel["options"]["yAxis"].get("unit") != "s":
        yield f"{name} has no unit at its axis"
    for target in panel["targets"]:
        if target["format"] != "heatmap" or not target["expr"].startswith("sum by (le) (rate("):
            yield f"{name} is not drawn from buckets"


def _query(expr: str) -> Iterator[str]:
    try:
        tree = promql_parser.parse(substitute(expr, VALUES))
    except (KeyError, ValueError) as error:
        yield f"no PromQL: {error}"
        return
    for selector in selectors(substitute(expr, VALUES)):
        matchers = {str(matcher) for matcher in selector.matchers.matchers}
        if not {'job=~"$job"', 'instance=~"$instance"'} <= matchers:
            yield f"{selector.name} is asked of every target"
    for ranged in _nodes(tree, promql_parser.MatrixSelector):
        if ranged.range != WINDOW:
            yield f"the window is not $__rate_interval in {ranged}"
    calls = _nodes(tree, promql_parser.Call)
    under_a_rate = {str(call.args[0].vector_selector) for call in calls if call.func.name in RATES}
    for selector in selectors(substitute(expr, VALUES)):
        if (selector.name or "").endswith(COUNTERS) and str(selector) not in under_a_rate:
            yield f"{selector.name} is a counter, and not under rate or increase"
    for call in calls:
        if call.func.name == "histogram_quantile" and "le" not in call.args[1].modifier.labels:
            yield "a quantile of what is not summed by le"


def _nodes(tree: promql_parser.Expr, kind: type[Node]) -> list[Node]:
    found: list[Node] = []

    def collect(node: promql_parser.Expr) -> None:
        if isinstance(node, kind):
            found.append(node)

    promql_parser.walk(tree, collect)
    return found
