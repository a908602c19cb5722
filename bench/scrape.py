# SPDX-License-Identifier: GPL-2.0-only
"""What a scrape costs the service: milliseconds and system calls, by the number of series."""

import gzip
import http.client
import re
import statistics
import subprocess
import tempfile
import time
from itertools import islice, product
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from profiler.service.metrics.series import histogram
from profiler.slots import BUCKETS
from profiler.snapshot import Slot
from tests.service.running import Running, running

TURNS = 40
SELECTIONS = {
    "about 100": "?collect[]=page_fault&collect[]=profiler",
    "about 1 000": "?exclude[]=read_fault",
    "all": "",
}


def main() -> None:
    """Print one table."""
    print("series      ms/scrape  system calls  bytes gzipped")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "log", "--tick=3600", "--policy=mainline", "--collector.resolve") as service,
    ):
        for selection in SELECTIONS.values():
            text = service.get(f"/metrics{selection}").text
            series = sum(not line.startswith("#") for line in text.splitlines())
            ms, calls = _milliseconds(service, selection), _calls(service, selection)
            size = len(gzip.compress(text.encode(), 1))
            print(f"{series:6}  {ms:13.1f}  {calls:12.0f}  {size:13}")
    series, ms = _rendering(10_000)
    print(f"{series:6}  {ms:13.1f}             -              -  (rendering alone, of made-up label sets)")


def _milliseconds(service: Running, selection: str) -> float:
    """Median of a scrape as Prometheus asks for it, over one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    times = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        connection.request("GET", f"/metrics{selection}", headers={"Accept-Encoding": "gzip"})
        connection.getresponse().read()
        times.append(time.perf_counter() - begun)
    connection.close()
    return statistics.median(times) * 1e3


def _calls(service: Running, selection: str) -> float:
    """System calls of all its threads during a scrape, by strace(1); less those while nobody asks."""
    strace = subprocess.Popen(
        ["strace", "-f", "-c", "-p", str(service.pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr
    strace.stderr.readline()  # attached
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    for _ in range(TURNS):
        connection.request("GET", f"/metrics{selection}", headers={"Accept-Encoding": "gzip"})
        connection.getresponse().read()
    connection.close()
    strace.terminate()
    said = strace.communicate()[1]
    found = re.search(r"^100\.00\s+[\d.]+\s+\d*\s+(\d+)", said, re.MULTILINE)
    assert found, said
    return int(found[1]) / TURNS


def _rendering(series: int) -> tuple[int, float]:
    """As many series as no plan gives: histograms of our own making."""
    slot = Slot(1009, 1 << 40, 0, 1 << 20, (37,) * BUCKETS)
    wanted = list(islice(product(map(str, range(100)), repeat=2), series // (BUCKETS + 3)))

    class Made(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            slots = dict.fromkeys(wanted, slot)
            return [histogram("uffd_made_up_duration_seconds", "Of no meaning.", ("a", "b"), wanted, slots)]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Made())
    times = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        text = generate_latest(registry)
        times.append(time.perf_counter() - begun)
    return text.count(b"\n") - 2, statistics.median(times) * 1e3


if __name__ == "__main__":
    main()
