# SPDX-License-Identifier: GPL-2.0-only
"""The real service in a real browser: every panel shows the workload's own numbers."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.slots import MODES
from profiler.workload.result import Result
from profiler.workload.run import Options, gated, run
from tests.browser.driver import Page, number
from tests.browser.shared import Open
from tests.service.running import ROOT, Running, running

PAGES = 509
ARTEFACTS = ROOT / "build" / "browser"
HOUR_OFF = """(() => {
  const Real = Date, shift = 3600e3;
  window.Date = class extends Real {
    constructor(...parts) { parts.length ? super(...parts) : super(Real.now() + shift); }
    static now() { return Real.now() + shift; }
  };
})()"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("real") / "log"
    with running(log, "--tick=1", "--policy=mainline", "--collector.resolve") as started:
        yield started


@pytest.fixture(scope="module")
def results(service: Running) -> dict[str, Result]:
    """One run in every registered mode."""
    return {mode: run(Options(backing="memfd", mode=mode, pages=PAGES)) for mode in MODES[1:]}


def _since_start(page: Page, row: str) -> int:
    return number(page.rates()[row]["start"]) if row in page.rates() else 0


def _check_figures(page: Page, results: dict[str, Result]) -> None:
    """Once the last tick that the runs fell into is shown."""
    minor = sum(result.expected_userfaults.minor for result in results.values())
    page.until(lambda: _since_start(page, "userfault_begun/minor"), lambda seen: seen >= minor)
    assert _since_start(page, "userfault_begun/minor") == minor
    for mode, result in results.items():
        assert _since_start(page, f"read_fault/{mode}") == result.expected_faults
        distribution = page.distributions()[f"read_fault/{mode}"]
        assert number(distribution["count"]) == result.expected_faults
        verdict = page.verdicts()[mode]
        assert verdict["answer"] == ("ran" if mode == "missing" else "skipped")
        figure = "ran" if mode == "missing" else "not_run"
        assert number(verdict[figure]) == result.expected_faults
    assert "mainline" in page.policy()


def test_every_panel_shows_the_workloads_numbers(
    service: Running, results: dict[str, Result], tab: Open
) -> None:
    page = tab(f"http://127.0.0.1:{service.port}/").open()
    _check_figures(page, results)
    userfaults = sum(result.expected_userfaults.minor for result in results.values())
    assert number(page.distributions()["userfault/minor"]["count"]) == userfaults
    continued = sum(sum(result.ioctls.get("CONTINUE", {}).values()) for result in results.values())
    assert _since_start(page, "resolve/continue") == continued
    for family in ("read faults", "userfault waits", "page faults"):
        page.heat(family)
        assert page.painted() > 0, family
    hooks = page.hooks()
    ready = service.get("/-/ready").json()["hooks"]
    assert {name: row["way"] for name, row in hooks.items()} == {hook["name"]: hook["way"] for hook in ready}
    assert page.programs()
    assert {"process", "memory", "since"} <= set(page.tiles())
    headline, missed = page.missed()
    assert headline
    assert all(number(row["start"]) == 0 for row in missed.values()), missed
    page.screenshot(ARTEFACTS / "real.png")
    assert (ARTEFACTS / "real.png").stat().st_size > 10_000


def test_threads_that_wait_now_are_shown_with_their_ages(service: Running, tab: Open) -> None:
    page = tab(f"http://127.0.0.1:{service.port}/").open()
    options = Options(backing="anon", mode="missing", threads=3, delay_us=4_000_000, gather=True, pages=3)
    with gated(options) as workload:
        workload.release()
        page.until(lambda: len(page.waiting()[1]), lambda rows: rows == 3)
        headline, rows = page.waiting()
        assert re.match(r"3\b", headline)
        assert {name.split("/")[0] for name in rows} == {str(workload.pid)}
        assert {row["reason"] for row in rows.values()} == {"missing"}
        workload.result()
    page.until(lambda: len(page.waiting()[1]), lambda rows: rows == 0)


def test_a_clock_that_is_an_hour_off_changes_nothing(
    service: Running, results: dict[str, Result], tab: Open
) -> None:
    page = tab(f"http://127.0.0.1:{service.port}/", script=HOUR_OFF).open()
    _check_figures(page, results)
    page.wait_ticks(page.ticks() + 2)
    page.heat("read faults")
    assert page.painted() > 0


def test_on_a_phone_in_the_dark(service: Running, results: dict[str, Result], tab: Open) -> None:
    page = tab(f"http://127.0.0.1:{service.port}/", width=360, color_scheme="dark").open()
    _check_figures(page, results)
    content, window = page.width()
    assert content <= window
    page.screenshot(ARTEFACTS / "real-phone.png")


def test_the_service_is_restarted_under_it(tab: Open, tmp_path: Path) -> None:
    with running(tmp_path / "first", "--tick=1") as first:
        page = tab(f"http://127.0.0.1:{first.port}/", errors=("Failed to load resource",)).open()
        run(Options(backing="memfd", mode="minor", pages=PAGES))
        page.until(lambda: _since_start(page, "userfault_begun/minor"), lambda seen: seen == PAGES)
        port = first.port
        first.end(signal.SIGKILL)
        page.wait("reconnecting")
    with running(tmp_path / "second", "--tick=1", f"--web.listen-address=127.0.0.1:{port}") as second:
        page.wait("live")
        result = run(Options(backing="memfd", mode="minor", pages=61))
        page.until(
            lambda: _since_start(page, "userfault_begun/minor"),
            lambda seen: seen == result.expected_userfaults.minor,
        )
        assert second.process.poll() is None
