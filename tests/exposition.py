# SPDX-License-Identifier: GPL-2.0-only
"""What is in the text of a scrape."""

from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

GOLDEN = Path(__file__).parent / "unit" / "golden" / "scrape.txt"
"""A whole scrape, kept: by tracepoints, in the text format, without the figures of the process."""


Labels = tuple[tuple[str, str], ...]
"""Names with their values, sorted."""


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def series(text: str) -> set[tuple[str, Labels]]:
    found = (sample for family in families(text).values() for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in found}


def value(text: str, name: str, **labels: str) -> float:
    found = [
        sample.value
        for family in families(text).values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]
