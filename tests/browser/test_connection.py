# SPDX-License-Identifier: GPL-2.0-only
"""Services that come late, go, and come back as somebody else; clocks that are wrong."""

import time

from playwright.sync_api import Request

from profiler.snapshot import Labels
from tests.browser.driver import number
from tests.browser.runs import Run, by_fentry, lively
from tests.browser.shared import Open, Serve
from tests.unit import samples

NETWORK = ("Failed to load resource",)
"""What Chromium itself writes of an answer that is an error, or of none."""

HOUR_OFF = """
const real = Date;
let jumps = 0;
const wrong = () => real.now() + 3_600_000 + 86_400_000 * (jumps++ % 3);
globalThis.Date = class extends real {
  constructor(...given) { super(...(given.length ? given : [wrong()])); }
  static now() { return wrong(); }
};"""
"""A clock an hour ahead, that jumps by a day at every look."""


def faults(run: Run) -> int:
    return run.snapshot.total("page_fault", origin="user").count


def test_attaching_is_shown_and_ends_by_itself(serve: Serve, tab: Open) -> None:
    service = serve(None)
    page = tab(service.url, errors=NETWORK).open("attaching")
    page.until(
        page.banner, lambda words: words == "The probes are being attached. The page goes on by itself."
    )
    run = by_fentry()
    service.ready(run)
    run.tick({})
    service.publish()
    page.wait("live").wait_ticks(run.seq)
    assert page.banner() == ""
    assert number(page.rates()["page_fault/user"]["start"]) == faults(run)


def test_attached_but_no_tick_yet(serve: Serve, tab: Open) -> None:
    page = tab(serve(Run("new", samples.fentry_plan())).url).open()
    assert page.moment() == "no tick yet"
    assert page.heat("page faults") == "none yet"
    assert page.waiting()[0] == "none"
    assert {card["answer"] for card in page.verdicts().values()} == {"not exercised"}


def test_attaching_ends_without_a_tick(serve: Serve, tab: Open) -> None:
    service = serve(None)
    page = tab(service.url, errors=NETWORK).open("attaching")
    service.ready(by_fentry())
    page.until(page.ticks, lambda found: found == 10)


def test_service_restarted_under_the_page(serve: Serve, tab: Open) -> None:
    service = serve(lively(40))
    page = tab(service.url, errors=NETWORK).open()
    service.stop()
    page.wait("reconnecting")
    assert "The service does not answer." in page.banner()
    again = by_fentry("second", ticks=2)
    service.run = again
    service.start()
    page.wait("live")
    page.until(page.ticks, lambda found: found == 2)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(again)
    assert "read_fault/missing+minor" not in page.rates()
    assert page.banner() == ""


def test_restart_that_is_too_quick_to_be_seen(serve: Serve, tab: Open) -> None:
    service = serve(lively(20))
    page = tab(service.url).open()
    service.run = by_fentry("second")
    service.run.tick({})
    service.publish()
    page.until(page.ticks, lambda found: found == 11)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(service.run)


def test_service_dead_for_a_while(serve: Serve, tab: Open) -> None:
    run = by_fentry(ticks=4)
    service = serve(run)
    page = tab(service.url, errors=NETWORK).open()
    service.stop()
    page.wait("reconnecting")
    page.until(page.banner, lambda words: "Next try in" in words and "What is shown is from before" in words)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(run)
    for interval in samples.intervals_of(samples.by_fentry().total)[4:]:
        run.tick(interval.slots)
    service.start()
    page.tab.get_by_role("button", name="Try now").click()
    page.wait("live").wait_ticks(run.seq)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(run)


def test_tries_become_rarer(serve: Serve, tab: Open) -> None:
    service = serve(by_fentry())
    page = tab(service.url, script="Math.random = () => 0;", errors=NETWORK).open()
    times: list[float] = []

    def note(request: Request) -> None:
        if request.url.endswith("stream"):
            times.append(time.monotonic())

    page.tab.on("request", note)
    service.stop()
    times.append(time.monotonic())
    page.until(lambda: len(times), lambda count: count >= 3)
    first, second = times[1] - times[0], times[2] - times[1]
    assert second > 1.4 * first


def test_missed_tick_asks_for_history_again(serve: Serve, tab: Open) -> None:
    run = by_fentry(ticks=3)
    service = serve(run)
    page = tab(service.url).open()
    parts = samples.intervals_of(samples.by_fentry().total)
    run.tick(parts[3].slots)
    service.publish(lost=True)
    run.tick(parts[4].slots)
    service.publish()
    page.wait_ticks(run.seq)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(run)
    assert service.times_asked("api/v1/history") == 2


def test_page_of_another_version_says_so(serve: Serve, tab: Open) -> None:
    service = serve(by_fentry())
    service.changes["schema"] = "uffd-profiler/history/2"
    page = tab(service.url).open("incompatible")
    assert page.banner() == (
        "The service speaks uffd-profiler/history/2, this page uffd-profiler/history/1. Reload the page."
    )
    service.changes.clear()
    page.tab.get_by_role("button", name="Reload").click()
    page.wait("live")


def test_wrong_and_jumping_clock_changes_nothing(serve: Serve, tab: Open) -> None:
    run = lively(60)
    service = serve(run)
    shown = []
    for script in ("", HOUR_OFF):
        page = tab(service.url, script=script).open()
        if script:
            assert page.tab.evaluate("Date.now()") / 1000 > time.time() + 3000
        page.settle()
        drawn = page.tab.locator("main path").evaluate_all("all => all.map(one => one.getAttribute('d'))")
        painted = page.painted()
        shown.append((page.tab.inner_text("main"), page.about(), page.table("#rates-data"), drawn, painted))
    assert shown[0] == shown[1]
    run.tick(run.intervals[0].slots)
    service.publish()
    page.wait_ticks(run.seq)
    assert number(page.rates()["page_fault/user"]["start"]) == faults(run)
    assert page.table("#rates-data")[2][0] == "−5\u202fs"
    assert page.state() == "live"


def test_only_a_changed_verdict_is_announced(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url).open()
    live = page.tab.locator("[aria-live], [role=status], [role=alert]")
    assert live.count() == 1
    run.tick(run.intervals[0].slots)
    service.publish()
    page.wait_ticks(run.seq)
    assert page.announced() == ""
    labels: Labels = ("user", "wp+minor", "shmem", "skipped")
    reads = {labels: samples.slot("read_fault", [500] * 17)}
    run.tick({"read_fault": reads})
    service.publish()
    page.wait_ticks(run.seq)
    assert page.announced() == "Verdict changed. wp+minor: skipped, was not exercised."
