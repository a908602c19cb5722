# SPDX-License-Identifier: GPL-2.0-only
"""On a phone, in the dark, by keyboard, without eyes, without motion; and nothing from elsewhere."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from profiler.profile import Command
from profiler.reports import json as profile_json
from profiler.service.page import files
from tests.browser.driver import Page
from tests.browser.fake import SECURITY
from tests.browser.runs import Run, by_fentry, by_tracepoints, lively
from tests.browser.shared import ARTEFACTS, Open, Serve

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"width": 360},
}
FOCUSED = """() => { const it = document.activeElement, box = it.getBoundingClientRect();
  const marked = it.matches('.choice input') ? it.nextElementSibling : it;
  const style = getComputedStyle(marked);
  return { what: it.id || it.value || it.getAttribute('aria-label') || it.textContent.trim(), tag: it.tagName,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 }; }"""


def open_all(page: Page) -> None:
    page.tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.settle()


def violations(page: Page) -> list[str]:
    found = Axe().run(page.tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{rule['id']}: {node['html'][:150]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("look", LOOKS)
def test_looks(serve: Serve, tab: Open, look: str) -> None:
    run = lively()
    page = tab(serve(run).url, **LOOKS[look]).open()
    page.screenshot(ARTEFACTS / f"page-{look}.png")
    background = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", background)[:3])) < 64) == ("dark" in look)
    assert page.painted() > 1000
    content, window = page.width()
    assert content <= window
    if look != "phone":
        assert violations(page) == []


@pytest.mark.parametrize("make", [by_fentry, by_tracepoints])
def test_tables_do_not_widen_a_phone(serve: Serve, tab: Open, make: Callable[[], Run]) -> None:
    page = tab(serve(make()).url, width=360).open()
    open_all(page)
    content, window = page.width()
    assert content <= window == 360
    if make is by_fentry:
        assert violations(page) == []


def test_attaching_page_is_accessible(serve: Serve, tab: Open) -> None:
    page = tab(serve(None).url, errors=("Failed to load resource",)).open("attaching")
    assert violations(page) == []


def test_everything_is_reached_by_keyboard(serve: Serve, tab: Open) -> None:
    page = tab(serve(by_fentry()).url, reduced_motion="reduce").open()
    page.tab.evaluate("document.getElementById('rates-data').open = true")
    walked = []
    for _ in range(60):
        page.tab.keyboard.press("Tab")
        at = page.tab.evaluate(FOCUSED)
        if at["tag"] == "BODY":
            break
        assert at["seen"] and at["outline"], at
        walked.append(at["what"])
    named = [
        "To the figures",
        "Verdict",
        "moment",
        "Events per tick",
        "Table of waiting threads",
        "read_fault",
        "heat-key",
        "start",
        "Table of hooks",
        "Table of programs",
        "Table of missed events",
        "metrics for Prometheus",
    ]
    places = [walked.index(name) for name in named]
    assert places == sorted(places)
    assert walked.count("The same as a table") == page.tab.locator("summary:visible").count()


def test_skip_link_and_choices_by_keyboard(serve: Serve, tab: Open) -> None:
    page = tab(serve(by_fentry()).url).open()
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Enter")
    assert page.tab.evaluate("document.activeElement.id") == "main"
    page.tab.get_by_role("radio", name="read faults").focus()
    page.tab.keyboard.press("ArrowRight")
    page.until(page.readout, lambda words: "userfaults" in words)


def test_focus_and_scroll_survive_a_tick(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    service = serve(run)
    page = tab(service.url, reduced_motion="reduce").open()
    page.tab.locator("#heat-key").focus()
    page.tab.locator("#heat-key").select_option("wp")
    before = page.tab.evaluate("scrollY")
    run.tick(run.intervals[0].slots)
    service.publish()
    page.wait_ticks(run.seq)
    assert page.tab.evaluate("[document.activeElement.id, document.activeElement.value]") == [
        "heat-key",
        "wp",
    ]
    assert page.tab.evaluate("scrollY") == before


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_want_no_motion(
    serve: Serve, tab: Open, motion: str, moves: bool
) -> None:
    page = tab(serve(by_fentry()).url, reduced_motion=motion).open()
    page.settle()
    assert bool(page.tab.evaluate("document.getAnimations().length")) == moves


def test_foreign_words_stay_words(serve: Serve, tab: Open) -> None:
    run = by_fentry()
    run.scope = {"command": Command(("./x", "<img src=x onerror=alert(1)>", "<script>alert(2)</script>"), 0)}
    page = tab(serve(run).url).open()
    assert "<img src=x onerror=alert(1)> <script>alert(2)</script>" in page.about()
    assert page.tab.locator("img").count() == 0


def test_all_comes_from_one_origin_under_the_strict_policy(serve: Serve, tab: Open) -> None:
    assert SECURITY["Content-Security-Policy"] == "default-src 'self'"
    service = serve(by_fentry())
    page = tab(service.url)
    asked: list[str] = []
    page.tab.on("request", lambda request: asked.append(request.url))
    page.open()
    assert asked
    assert [url for url in asked if not url.startswith(service.url)] == []
    paths = {url.removeprefix(service.url) for url in asked}
    assert set(files()) - {"static/icon.svg"} <= paths


def test_files_hold_nothing_inline_and_nothing_absolute() -> None:
    found = files("/deep/metrics")
    page = found[""][1].decode()
    assert not re.search(r"<style|style=|<script>|\son\w+=", page)
    assert 'href="deep/metrics"' in page
    for path, (kind, body) in found.items():
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", body), path
        assert not re.search(rb"""(?:src|href)=["']/|\(['"]/""", body), path
        assert kind.split("/")[0] in ("text", "image")
        assert b"SPDX-License-Identifier" in body[:120]
    assert f"'{profile_json.SCHEMA}'".encode() in found["static/model.js"][1]
