# SPDX-License-Identifier: GPL-2.0-only
"""``/metrics`` of the real service."""

import gzip
import re
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from tests.exposition import GOLDEN, Labels, families, series, value
from tests.service.running import Running


def test_promtool_has_nothing_to_say(service: Running) -> None:
    text = service.get("/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_formats_are_negotiated(service: Running) -> None:
    plain = service.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    offered = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    other = service.get("/metrics", Accept=offered)
    assert other.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert other.text.endswith("# EOF\n")
    names = {family.name for family in openmetrics(other.text)}  # type: ignore[no-untyped-call]
    assert names == set(families(plain.text))
    assert "accept" in plain.headers["vary"].lower()


def test_compressed_only_when_asked(service: Running) -> None:
    assert "content-encoding" not in service.get("/metrics").headers
    assert "content-encoding" not in service.get("/metrics", Accept_Encoding="gzip;q=0").headers
    zipped = service.get("/metrics", Accept_Encoding="deflate, gzip;q=0.5")
    assert zipped.headers["content-encoding"] == "gzip"
    text = gzip.decompress(zipped.body).decode()
    assert len(zipped.body) < len(text) / 10
    assert "uffd_page_fault_duration_seconds_bucket" in text


def test_families_and_labels_are_those_of_the_golden_file(service: Running) -> None:
    """Of this kernel's way; programs and misses are named by what was attached."""

    def kept(text: str) -> set[tuple[str, Labels]]:
        return {
            (name, labels)
            for name, labels in series(text)
            if not name.startswith(("process_", "uffd_profiler_", "uffd_resolve_"))
        }

    if value(service.get("/metrics").text, "uffd_profiler_ready") != 1:
        pytest.fail("not ready")
    text = service.get("/metrics").text
    if 'way="fentry"' in text or 'way="kprobe"' in text:
        assert {name for name, _ in kept(text)} > {name for name, _ in kept(GOLDEN.read_text())}
    else:
        assert kept(text) == kept(GOLDEN.read_text())


def test_collectors_can_be_chosen(service: Running) -> None:
    only = families(service.get("/metrics?collect[]=verdict&collect[]=page_fault").text)
    assert set(only) == {
        "uffd_fault_around_verdict",
        "uffd_fault_around_bytes",
        "uffd_fault_around_policy_info",
        "uffd_fault_around_policy_violated",
        "uffd_page_fault_duration_seconds",
    }
    without = families(service.get("/metrics?exclude[]=read_fault").text)
    assert not any("read_fault" in name for name in without)
    assert "uffd_userfaults" in without
    assert "nonsense" in service.get("/metrics?collect[]=nonsense").problem(400)
    both = families(service.get("/metrics?collect[]=page_fault&collect[]=verdict&exclude[]=verdict").text)
    assert set(both) == {"uffd_page_fault_duration_seconds"}


def test_counters_only_grow(service: Running) -> None:
    before, after = (service.get("/metrics").text for _ in range(2))
    name = "uffd_page_fault_duration_seconds_count"
    assert value(after, name, origin="user") >= value(before, name, origin="user") > 0
    assert value(after, "uffd_profiler_overhead_program_runs_total", program="raw_page_fault_user") > 0
    assert 0 < value(after, "uffd_profiler_scrape_duration_seconds") < 10


def test_a_log_line_is_counted(service: Running) -> None:
    logged = len(re.findall(r"level=info", service.said()))
    assert value(service.get("/metrics").text, "uffd_profiler_log_messages_total", level="info") >= logged > 0
