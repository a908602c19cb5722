# SPDX-License-Identifier: GPL-2.0-only
"""The real service in a process of its own, and a plain HTTP client for it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TOOL = Path(sys.executable).parent / "uffd-profiler"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds for what takes one or two: this machine may be busy."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int) -> str:
        """The sentence of an RFC 9457 problem."""
        assert self.status == status, self.text[:300]
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == status
        assert "Traceback" not in self.text
        return str(problem["detail"])


class Running:
    """A started service; its log goes to a file of the test's."""

    def __init__(self, log: Path, *arguments: str, **options: Any) -> None:
        self.log = log
        command = [str(TOOL), "serve", "--web.listen-address=127.0.0.1:0", *arguments]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=file, cwd=ROOT, **options
            )
        self.port = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_listening(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"open https?://127\.0\.0\.1:(\d+)/", self.said())):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        self.port = int(found[1])

    def wait_ready(self) -> None:
        self.wait_listening()
        deadline = time.monotonic() + PATIENCE
        while self.get("/-/ready").status != 200:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def get(self, path: str, method: str = "GET", timeout: float = PATIENCE, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def figure(self, name: str, **labels: str) -> float:
        """Sum of the series of one name whose labels match."""
        lines = self.get("/metrics").text.splitlines(keepends=True)
        text = "".join(line for line in lines if line.startswith(name))  # to parse all takes a while
        found = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert found, f"{name} {labels}"
        return sum(found)

    def status(self) -> dict[str, str]:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def resident_bytes(self) -> int:
        return int(self.status()["VmRSS"].split()[0]) * 1024

    def end(self, number: int = signal.SIGTERM) -> float:
        """Send a signal and wait; returns the seconds that it took. One that does not end is killed."""
        begun = time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        return time.monotonic() - begun


@contextmanager
def running(log: Path, *arguments: str, **options: Any) -> Iterator[Running]:
    """A service that is ready; ended afterwards, whatever happens."""
    service = Running(log, *arguments, **options)
    try:
        service.wait_ready()
        yield service
    finally:
        service.end(signal.SIGKILL)
