# SPDX-License-Identifier: GPL-2.0-only
"""Every panel shows the figures of the snapshots, exactly: since the start, and of the last tick."""

from collections.abc import Callable

import pytest

from profiler.slots import FAMILIES, MISSED
from profiler.snapshot import EMPTY, Slot, Snapshot, boundaries
from tests.browser.driver import Page, number
from tests.browser.runs import Run, by_fentry, by_tracepoints, lively
from tests.browser.shared import Open, Serve
from tests.unit import samples

RATES = {
    "page_fault": "origin",
    "read_fault": "uffd_mode",
    "userfault_begun": "reason",
    "swap_fault": "kind",
    "shmem_swapin": "result",
    "swap_read": "by",
    "resolve": "op",
}
LATENCY = {
    "page_fault": "origin",
    "read_fault": "uffd_mode",
    "userfault": "reason",
    "swap_fault": "kind",
    "shmem_swapin": "result",
    "resolve": "op",
}
UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))


def summed(snapshot: Snapshot, views: dict[str, str]) -> dict[str, Slot]:
    """``family/label`` → slot, of those that occurred. Of userfaults only the resolved ones."""
    found = {}
    for family, by in views.items():
        only = {"result": "resolved"} if family == "userfault" else {}
        for label in dict(FAMILIES[family].axes)[by]:
            slot = snapshot.total(family, **{by: label}, **only)
            if slot.count:
                found[f"{family}/{label}"] = slot
    return found


def events(key: str, slots: dict[str, Slot]) -> int:
    """What the rates count: events, or of what is read from swap, pages."""
    slot = slots.get(key, EMPTY)
    return slot.sum if key.startswith("swap_read/") else slot.count


def at_most(slot: Slot, q: float) -> str:
    """The boundary of the bucket that holds a quantile, every digit of it."""
    seen = 0
    for boundary, events in zip(boundaries("read_fault"), slot.buckets, strict=True):
        seen += events
        if events and seen >= q * slot.count:
            size, unit = next((s, u) for s, u in UNITS if boundary >= s)
            return f"≤\u202f{boundary / size:.9g}\u202f{unit}"
    return ">\u202f16.777216\u202fs"


def check_counts(page: Page, run: Run) -> None:
    """Rates and distributions against the snapshots of the run."""
    last, whole = run.intervals[-1], run.snapshot
    shown = page.rates()
    expected = summed(whole, RATES)
    now = summed(last, RATES)
    figures = {key: row for key, row in shown.items() if not key.endswith("/")}
    assert {key: number(row["start"]) for key, row in figures.items()} == {
        key: events(key, expected) for key in expected
    }
    assert {key: number(row["tick"]) for key, row in figures.items()} == {
        key: events(key, now) for key in expected
    }
    for of, snapshot in (("one tick", last), ("since start", whole)):
        rows = page.distributions(of)
        for key, slot in summed(snapshot, LATENCY).items():
            assert number(rows[key]["count"]) == slot.count, (of, key)
            assert rows[key]["p50"] == at_most(slot, 0.5), (of, key)
            assert rows[key]["p90"] == at_most(slot, 0.9), (of, key)
            assert rows[key]["p99"] == at_most(slot, 0.99), (of, key)


@pytest.mark.parametrize("make", [by_fentry, by_tracepoints])
def test_rates_and_distributions_are_exact(serve: Serve, tab: Open, make: Callable[[], Run]) -> None:
    run = make()
    check_counts(tab(serve(run).url).open(), run)


def test_streamed_ticks_add_up_without_asking_again(serve: Serve, tab: Open) -> None:
    run = by_fentry(ticks=3)
    service = serve(run)
    page = tab(service.url).open()
    for interval in samples.intervals_of(samples.by_fentry().total)[3:]:
        run.tick(interval.slots, samples.WAITERS[:1], {"kfunc__do_swap_page": 1})
        service.publish()
    page.wait_ticks(run.seq)
    check_counts(page, run)
    assert page.waiting()[0].startswith("1 thread waits")
    assert page.missed()[1]["recursion/kfunc__do_swap_page"]["start"] == "7"
    assert service.times_asked("api/v1/history") == 1
    assert service.times_asked("api/v1/stream") == 1


def test_rate_is_the_count_over_the_length_of_the_tick(serve: Serve, tab: Open) -> None:
    run = Run("r", samples.fentry_plan())
    run.tick({"page_fault": {("user",): samples.slot("page_fault", [1_000] * 6_115)}})
    row = tab(serve(run).url).open().rates()["page_fault/user"]
    assert (row["tick"], row["rate"], row["peak"]) == ("6\u202f115", "1\u202f223/s", "1\u202f223/s")


def test_verdict_of_each_mode_with_its_counts_and_the_policy(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    page = tab(serve(run).url).open()
    profile = run.history()["profile"]
    shown = page.verdicts()
    assert list(shown) == [verdict["mode"] for verdict in profile["verdicts"]]
    for verdict in profile["verdicts"]:
        card = shown[verdict["mode"]]
        assert (card["answer"], card["reason"]) == (verdict["answer"], verdict["reason"])
        for name in ("ran", "not_run", "mapped_pages"):
            assert number(card[name]) == verdict[name]
    assert page.policy() == "Policy: this kernel follows 'mainline' (over the modes missing, wp, minor)."


def test_what_tracepoints_cannot_tell_is_said_in_words(serve: Serve, tab: Open) -> None:
    page = tab(serve(by_tracepoints()).url).open()
    phrase = "not available by tracepoints"
    assert {card["mapped_pages"] for card in page.verdicts().values()} == {phrase}
    assert page.group("swap_fault") == phrase
    assert page.group("page_fault") == f"raised by the kernel itself (get_user_pages): {phrase}"
    assert page.lacking("swap_fault") == f"Swap entries by kind: {phrase}"
    assert f"'returned early' and 'not entered': {phrase}" in page.lacking("read_fault")
    assert f"'sigbus' and 'nowait': {phrase}" in page.lacking("userfault")
    assert page.no_programs() == "programs: not available: the run statistics of this kernel are off"
    assert "programs" not in page.tiles()
    assert page.programs() == {}
    assert "raw_sched_switch" not in str(page.missed()[1])
    assert (
        "recursion misses of raw_sched_switch: not available"
        in page.tab.locator("#missed-silent").inner_text()
    )


def test_userfaults_that_are_not_available_are_not_zero(serve: Serve, tab: Open) -> None:
    run = Run("bare", samples.bare_plan())
    run.tick({})
    page = tab(serve(run).url).open()
    why = "not available: nothing of it is a symbol here"
    assert page.waiting() == (why, {})
    assert page.group("read_fault") == page.group("userfault_begun") == why
    assert page.heat("userfault waits") == why
    assert {card["ran"] for card in page.verdicts().values()} == {why}


def test_heat_map_holds_every_event_of_the_window(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    page = tab(serve(run).url).open()
    families = {
        "read faults": ("read_fault", {}),
        "page faults": ("page_fault", {}),
        "userfault waits": ("userfault", {"result": "resolved"}),
    }
    for name, (family, only) in families.items():
        whole = run.snapshot.total(family, **only)
        text = page.heat(name).replace("\u202f", "")
        assert text.startswith(f"Heat map: {whole.count} events"), text
        assert page.painted() > 0
        head, *rows = page.table("#heat-data")
        assert len(rows) == len(run.intervals)
        cells = [[number(cell) for cell in row[1:]] for row in rows]
        assert sum(row[0] for row in cells) == whole.count
        columns = [sum(column) for column in zip(*(row[1:] for row in cells), strict=True)]
        used = [events for events in whole.buckets if events]
        assert [events for events in columns if events] == used
        last = run.intervals[-1].total(family, **only).count
        assert f"Last tick: {last} " in page.readout().replace("\u202f", "")
        assert head[2].endswith(("ns", "µs"))


def test_heat_map_of_one_mode(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    page = tab(serve(run).url).open()
    page.tab.get_by_label("of", exact=True).select_option("wp")
    page.settle()
    expected = run.intervals[-1].total("read_fault", uffd_mode="wp").count
    assert f"Last tick: {expected} read faults" in page.readout()


def test_another_moment_can_be_looked_at(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    page = tab(serve(run).url).open()
    slider = page.tab.get_by_label("look at")
    slider.focus()
    for _ in range(3):
        page.tab.keyboard.press("ArrowLeft")
    page.until(page.moment, lambda words: words.startswith("−15\u202fs"))
    expected = run.intervals[-4].total("page_fault", origin="user").count
    assert number(page.rates()["page_fault/user"]["tick"]) == expected
    run.tick(run.intervals[0].slots)
    page.tab.get_by_role("button", name="Latest").click()
    page.until(page.moment, lambda words: words.startswith("last tick"))


def test_pointer_reads_a_chart(serve: Serve, tab: Open) -> None:
    page = tab(serve(lively()).url).open()
    chart = page.tab.locator('#rates [data-row="page_fault/user"] svg')
    chart.hover(position={"x": chart.evaluate("c => c.getBoundingClientRect().width / 3"), "y": 10})
    page.until(page.moment, lambda words: words.startswith("−10\u202fmin"))
    page.tab.get_by_role("heading", level=1).hover()
    page.until(page.moment, lambda words: words.startswith("last tick"))


def test_waiting_threads_oldest_first(serve: Serve, tab: Open) -> None:
    headline, threads = tab(serve(by_fentry()).url).open().waiting()
    assert headline == "3 threads wait, the oldest for 12.0\u202fs"
    assert [
        (row["name"], row["age"], row["reason"], row["backing"], row["address"]) for row in threads.values()
    ] == [
        ("4242/4243", "12.0\u202fs", "missing", "anon", "0x7f1234567000"),
        ("4242/4244", "31.0\u202fms", "missing", "anon", "0x7f1234568000"),
        ("4242/4245", "8.00\u202fµs", "minor", "shmem", "0x7f1299990000"),
    ]


def test_nobody_waits(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    run.tick({})
    assert tab(serve(run).url).open().waiting() == ("none", {})


def test_hooks_with_their_ways_and_why_no_better(serve: Serve, tab: Open) -> None:
    run = by_tracepoints()
    shown = tab(serve(run).url).open().hooks()
    assert {name: row["way"] for name, row in shown.items()} == {h.name: h.way for h in run.plan.hooks}
    assert shown["fault"]["state"] == "alive"
    assert "fentry: the kernel refuses fentry programs (EPERM)" in shown["fault"]["refused"]
    assert "kprobe: the kernel is built without kprobes" in shown["fault"]["refused"]
    assert shown["swap_entry"]["state"] == "not attached"
    assert "refuses fentry" in shown["swap_entry"]["target"]


def test_dead_hook_degrades(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url).open()
    run.dead["map_pages"] = "its link is gone"
    run.tick({})
    service.publish()
    page.wait("degraded")
    assert page.banner() == "Degraded: the hook map_pages has died: its link is gone"
    assert page.hooks()["map_pages"]["state"] == "dead"
    assert page.tab.locator("#hooks-words").inner_text() == "11 hooks of 12 attached; dead: map_pages"


def test_own_cost_since_start_and_in_the_last_tick(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url).open()
    assert page.programs()["kfunc__handle_mm_fault"]["tick-runs"] == "–"
    run.tick({})
    service.publish()
    page.wait_ticks(run.seq)
    row = page.programs()["kfunc__handle_mm_fault"]
    assert (number(row["runs"]), number(row["tick-runs"])) == (2 * 1009 * run.seq, 2 * 1009)
    assert row["per-run"] == row["tick-per-run"] == "545\u202fns"
    assert row["share"] == row["tick-share"] == "0.022\u202f%"
    tiles = page.tiles()
    assert tiles["process"] == ["0.26\u202f%", "0.26\u202f% in the last tick"]
    assert tiles["memory"][0] == "41.0\u202fMiB"
    assert tiles["since"][0] == "55.0\u202fs"


def test_missed_events_since_start_and_in_the_last_tick(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url).open()
    assert page.missed()[0] == "none since start"
    for lost in (7, 4):
        run.tick({"missed": {("threads_full",): Slot(lost)}}, misses={"kfunc__do_swap_page": 3})
        service.publish()
    page.wait_ticks(run.seq)
    headline, rows = page.missed()
    assert headline == "17 events missed since start"
    assert (rows["threads_full"]["tick"], rows["threads_full"]["start"]) == ("4", "11")
    assert rows["recursion/kfunc__do_swap_page"]["start"] == "6"
    assert set(MISSED) <= set(rows)
    assert {card["answer"] for card in page.verdicts().values()} == {"not exercised"}


def test_tables_behind_the_charts_hold_the_same(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    page = tab(serve(run).url).open()
    head, *rows = page.table("#rates-data")
    faults = head.index("Page faults, on any memory: raised in user mode")
    assert [number(row[faults]) for row in rows] == [
        part.total("page_fault", origin="user").count for part in reversed(run.intervals)
    ]
    head, *rows = page.table('[data-family="read_fault"] details')
    column = head.index("missing, fault-around ran")
    expected = [n for n in run.snapshot.total("read_fault", uffd_mode="missing").buckets if n]
    assert [n for n in (number(row[column]) for row in rows) if n] == expected


def test_old_ticks_are_let_go(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url).open()
    for _ in range(185):
        run.tick({"page_fault": {("user",): samples.slot("page_fault", [1_000] * 3)}})
        service.publish()
    page.wait_ticks(run.seq)
    assert len(page.table("#rates-data")) == 1 + 180
    before = page.tab.evaluate("document.getElementsByTagName('*').length")
    for _ in range(20):
        run.tick({"page_fault": {("user",): samples.slot("page_fault", [1_000] * 3)}})
        service.publish()
    page.wait_ticks(run.seq)
    assert page.tab.evaluate("document.getElementsByTagName('*').length") <= before
    assert (
        number(page.rates()["page_fault/user"]["start"])
        == run.snapshot.total("page_fault", origin="user").count
    )
    assert service.times_asked("api/v1/history") == 1
