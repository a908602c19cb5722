# SPDX-License-Identifier: GPL-2.0-only
"""The queries of the committed files, as Prometheus gets them: for tests, which know no Grafana."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

from . import DASHBOARD, RULES

ALL = {
    "job": ".+",
    "instance": ".+",
    "uffd_mode": ".+",
    "__rate_interval": "1m",
}
"""Values of the variables that choose every series. Values of matchers are regular expressions."""

OF_PROMETHEUS = frozenset(("up", "scrape_duration_seconds"))
"""Series that Prometheus adds to every target itself."""


class Query(NamedTuple):
    """A query of a panel; variables replaced."""

    panel: str
    expr: str

    @property
    def metrics(self) -> frozenset[str]:
        """Names of the series asked for."""
        return metrics(self.expr)


class Rule(NamedTuple):
    """A rule of Prometheus: ``record`` or ``alert`` is its name."""

    name: str
    expr: str
    alert: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def queries(values: Mapping[str, str] = ALL, path: Path = DASHBOARD) -> list[Query]:
    """Every query of every panel of a dashboard.

    :param values: variable → what stands in its place, for every variable used.
    :raises KeyError: for a variable without a value.
    """
    return [
        Query(panel["title"], substitute(target["expr"], values))
        for panel in panels(json.loads(path.read_text()))
        for target in panel["targets"]
    ]


def panels(model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard's model, without the rows, with what is folded into them."""
    for panel in model["panels"]:
        if panel["type"] == "row":
            yield from panels(panel)
        else:
            yield panel


def substitute(expr: str, values: Mapping[str, str]) -> str:
    """The expression with ``$variable`` and ``${variable}`` replaced.

    :raises KeyError: for a variable without a value.
    """
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda found: values[found[1] or found[2]], expr)


def rules(paths: tuple[Path, ...] = RULES) -> list[Rule]:
    """Every rule of the rule files, in their order."""
    return [
        Rule(
            rule.get("alert") or rule["record"],
            rule["expr"],
            "alert" in rule,
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for path in paths
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Every selector of an expression, those with a range included.

    :raises ValueError: for what is no PromQL.
    """
    found: list[promql_parser.VectorSelector] = []

    def collect(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expr), collect)
    return found


def metrics(expr: str) -> frozenset[str]:
    """Names of the series that an expression asks for.

    :raises ValueError: for what is no PromQL.
    """
    return frozenset(selector.name for selector in selectors(expr) if selector.name)


def needed() -> frozenset[str]:
    """Names of all series that dashboard, variables and rules ask a service for: no recorded ones."""
    asked = {name for query in queries() for name in query.metrics}
    asked |= {name for rule in rules() for name in metrics(rule.expr)}
    variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
    for variable in variables:
        if variable["type"] == "query":
            series = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"])
            asked |= metrics(substitute(series[1], ALL)) if series else set()
    return frozenset(asked) - OF_PROMETHEUS - {rule.name for rule in rules() if not rule.alert}


def scraped(path: Path) -> frozenset[str]:
    """Names of all series in a file that holds the text of a scrape."""
    lines = path.read_text().splitlines()
    return frozenset(re.split(r"[{ ]", line, maxsplit=1)[0] for line in lines if line[:1] not in ("", "#"))
