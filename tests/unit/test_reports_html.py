# SPDX-License-Identifier: GPL-2.0-only
import re
from html.parser import HTMLParser

import pytest

from profiler.reports import html
from tests.unit import samples

VOID = {"meta", "link", "br", "hr", "img", "input"}
SELF_CLOSED = {"rect", "line"}


class Walk(HTMLParser):
    """Checks nesting, collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, values))
        self.ids += (values.get("id") or "").split()
        self.references += (values.get("aria-labelledby") or "").split()
        self.references += (values.get("href") or "").removeprefix("#").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSED
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def walk(page: str) -> Walk:
    found = Walk()
    found.feed(page)
    found.close()
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)
    return found


@pytest.mark.parametrize("name", samples.ALL)
def test_page_is_well_formed_and_alone(name: str) -> None:
    page = html.render(samples.ALL[name]())
    found = walk(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=", page)
    assert page.encode()
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in found.tags}
    assert not [n for _, attributes in found.tags for n in attributes if n.startswith("on")]


@pytest.mark.parametrize("name", samples.ALL)
def test_page_is_semantic(name: str) -> None:
    found = walk(html.render(samples.ALL[name]()))
    assert all(values.get("scope") in ("col", "row") for tag, values in found.tags if tag == "th")
    for tag, values in found.tags:
        if tag == "svg":
            assert values.get("aria-hidden") == "true" or values.get("aria-labelledby")
        if values.get("class") == "scroll":
            assert values["tabindex"] == "0"
            assert values["aria-label"]
    assert [tag for tag, _ in found.tags].count("h1") == 1


def test_foreign_words_are_escaped() -> None:
    page = html.render(samples.with_misses())
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert "\x1b" not in page


def test_the_same_profile_gives_the_same_page() -> None:
    assert html.render(samples.by_fentry()) == html.render(samples.by_fentry())


def test_figures_are_drawn_where_there_is_something_to_draw() -> None:
    page = html.render(samples.by_fentry())
    for title in ("Own time of read faults", "Pages mapped by each run", "Wait of resolved", "Over time"):
        assert title in page
    page = html.render(samples.by_tracepoints())
    assert "Pages mapped by each run" not in page
    assert page.count("not available by tracepoints") >= 6
