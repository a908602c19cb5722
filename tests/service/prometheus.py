# SPDX-License-Identifier: GPL-2.0-only
"""A real Prometheus, Debian's, that scrapes what a test gives it."""

import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

PATIENCE = 120.0
"""Seconds for what takes one or two: this machine may be busy."""

LISTENING = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
"""The line of the log with the port that it got."""

JOB = "uffd-profiler"
"""The job's name, as the rules expect it."""


class Sample(NamedTuple):
    """One result of an instant query. ``labels``: with ``__name__`` where the expression keeps it."""

    labels: Mapping[str, str]
    value: float


class QueryError(Exception):
    """Prometheus refuses an expression; the message is its own."""


class Prometheus:
    """A started Prometheus on a loopback port of the kernel's choice.

    :param directory: empty; configuration, log and storage go there.
    :param target: ``host:port`` to scrape.
    :param interval: of scrapes and evaluations.
    :param rules: rule files to evaluate.
    """

    def __init__(
        self, directory: Path, target: str, interval: str = "1s", rules: Sequence[Path] = (), **job: object
    ) -> None:
        self.log = directory / "prometheus.log"
        self.port = 0
        config = directory / "prometheus.json"  # JSON is YAML
        scraped = {"job_name": JOB, "static_configs": [{"targets": [target]}]} | job
        every = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
        config.write_text(
            json.dumps({"global": every, "scrape_configs": [scraped], "rule_files": [str(r) for r in rules]})
        )
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=exemplar-storage",
        ]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, cwd=directory)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Until it answers queries."""
        # It says which port it got, and serves a while before it is ready.
        self.until(lambda: LISTENING.search(self.said()))
        self.port = int(LISTENING.findall(self.said())[0])
        self.until(lambda: self._get("/-/ready")[0] == 200)

    def wait_scraped(self, times: int = 1) -> None:
        """Until that many scrapes have succeeded."""
        self.until(lambda: self.query(f"sum(sum_over_time(up[1h])) >= {times}"))

    def query(self, expr: str) -> list[Sample]:
        """The result of an instant query: of a vector its samples, of a scalar the one without labels.

        :raises QueryError: for what Prometheus refuses.
        """
        status, body = self._get("/api/v1/query?" + urlencode({"query": expr}))
        answer = json.loads(body)
        if status != 200 or answer["status"] != "success":
            raise QueryError(f"{answer.get('error')}: {expr}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def targets(self) -> list[dict[str, Any]]:
        """The targets as its page shows them: ``health``, ``lastError`` and more."""
        active = json.loads(self._get("/api/v1/targets?state=active")[1])["data"]["activeTargets"]
        return list(active)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing: ``labels``, ``annotations``, ``state``."""
        return list(json.loads(self._get("/api/v1/alerts")[1])["data"]["alerts"])

    def exemplars(self, expr: str) -> list[dict[str, Any]]:
        """Series with their exemplars of the last hour."""
        now = time.time()
        asked = urlencode({"query": expr, "start": now - 3600, "end": now})
        return list(json.loads(self._get(f"/api/v1/query_exemplars?{asked}")[1])["data"])

    def wait_scraped_anew(self) -> None:
        """Until a scrape has begun and ended after this call."""
        begun = time.time()
        self.until(lambda: self.query(f"min(timestamp(up)) > {begun}"))

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its ``health`` and ``lastError``."""
        groups = json.loads(self._get("/api/v1/rules")[1])["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def end(self) -> None:
        """Stop it; it takes no longer than storage needs."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def until(self, holds: Callable[[], object]) -> None:
        """Ask again until it holds; with its log, if it ends or never does."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)


@contextmanager
def prometheus(
    directory: Path, target: str, interval: str = "1s", rules: Sequence[Path] = (), **job: object
) -> Iterator[Prometheus]:
    """A Prometheus that answers queries; ended afterwards, whatever happens.

    :param job: further fields of the scrape configuration, such as ``metrics_path`` or ``basic_auth``.
    """
    started = Prometheus(directory, target, interval, rules, **job)
    try:
        started.wait_ready()
        yield started
    finally:
        started.end()
