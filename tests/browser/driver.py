# SPDX-License-Identifier: GPL-2.0-only
"""Reads the live page as a person does: what stands there, as numbers. Works on any service."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from playwright.sync_api import ConsoleMessage, Error
from playwright.sync_api import Page as Tab

DEADLINE = 30.0
"""Seconds that anything may take on a busy machine."""

T = TypeVar("T")

_ROWS = """table => Object.fromEntries([...table.querySelectorAll('tr[data-row]')].map(tr => [
  tr.dataset.row,
  Object.fromEntries([['name', tr.querySelector('th').textContent.trim()],
    ...[...tr.querySelectorAll('[data-figure]')].map(td => [td.dataset.figure, td.textContent.trim()])])]))"""
_GRID = """table => [...table.rows].map(tr => [...tr.cells].map(cell => cell.textContent.trim()))"""
_CARDS = """list => Object.fromEntries([...list.children].map(card => [card.dataset.mode, {
  answer: card.querySelector('.answer b').textContent,
  reason: card.querySelector('.reason').textContent,
  ...Object.fromEntries(
    [...card.querySelectorAll('[data-figure]')].map(dd => [dd.dataset.figure, dd.textContent])),
}]))"""
_TILES = """list => Object.fromEntries([...list.children].map(tile => [
  tile.dataset.tile, [...tile.querySelectorAll('dd')].map(dd => dd.textContent)]))"""

Rows = dict[str, dict[str, str]]


def number(text: str) -> int:
    """``4\u202f099`` as 4099; words are an error."""
    return int(text.replace("\u202f", ""))


class Page:
    """A tab with the live page in it. ``errors``: what the console complained of, and uncaught exceptions."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        self.url = url
        self.errors: list[str] = []
        tab.on("console", self._said)
        tab.on("pageerror", self._threw)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _threw(self, error: Error) -> None:
        self.errors.append(str(error))

    def open(self, state: str = "live") -> "Page":
        """Load the page and wait until it is in a state."""
        self.tab.goto(self.url, wait_until="domcontentloaded")
        return self.wait(state)

    def until(self, what: Callable[[], T], accept: Callable[[T], bool], deadline: float = DEADLINE) -> T:
        """Poll until the value is accepted.

        :raises AssertionError: with the last value, when it never is.
        """
        end = time.monotonic() + deadline
        while True:
            value = what()
            if accept(value):
                return value
            assert time.monotonic() < end, f"still {value!r}"
            self.tab.wait_for_timeout(40)

    def wait(self, state: str) -> "Page":
        """Until the connection is in this state."""
        self.until(self.state, lambda found: found == state)
        return self

    def wait_ticks(self, count: int) -> "Page":
        """Until the page shows the figures of this tick, or of a later one."""
        self.until(self.ticks, lambda found: found >= count)
        return self

    def _text(self, selector: str) -> str:
        return (self.tab.locator(selector).text_content() or "").strip()

    def _rows(self, selector: str) -> Rows:
        return cast(Rows, self.tab.locator(selector).evaluate(_ROWS))

    def state(self) -> str:
        """``connecting``, ``attaching``, ``live``, ``degraded``, ``reconnecting`` or ``incompatible``."""
        return self._text("#connection .words")

    def banner(self) -> str:
        """What is said of the connection; empty when all is well."""
        return self._text("#banner .words") if self.tab.locator("#banner").is_visible() else ""

    def about(self) -> str:
        """Facts of the head."""
        return self._text("#about")

    def ticks(self) -> int:
        """Number of the last tick shown; 0 before the first."""
        found = re.search(r"in ([\d\u202f]+) ticks", self.about())
        return number(found.group(1)) if found else 0

    def verdicts(self) -> Rows:
        """Mode → answer, reason, ran, not_run, mapped_pages, as written."""
        return cast(Rows, self.tab.locator("#cards").evaluate(_CARDS))

    def policy(self) -> str:
        """The sentence on the policy."""
        return self._text("#policy")

    def announced(self) -> str:
        """What the live region last said."""
        return self._text("#announce")

    def rates(self) -> Rows:
        """``family/label`` → rate, peak, tick, start, as written."""
        return self._rows("#rates-table")

    def group(self, family: str) -> str:
        """What is said in words beside the heading of a group of rates."""
        return self._text(f'#rates [data-group="{family}"] .remark')

    def moment(self) -> str:
        """The moment that the charts look at."""
        return self._text("#moment-words")

    def distributions(self, of: str = "since start") -> Rows:
        """``family/label`` → count, mean, p50, p90, p99, waited, of a time."""
        self.tab.get_by_role("group", name="Of which time").get_by_label(of, exact=True).check()
        self.settle()
        return self._rows("#latency-views")

    def lacking(self, family: str) -> str:
        """What the distributions of a family cannot tell."""
        return " ".join(self.tab.locator(f'[data-family="{family}"] > p:visible').all_text_contents())

    def heat(self, family: str) -> str:
        """Choose what the heat map draws; what a screen reader says of it, or the phrase in its place."""
        self.tab.get_by_role("group", name="What to draw").get_by_label(family, exact=True).check()
        self.settle()
        canvas = self.tab.locator("#heat-plot canvas")
        return (
            (canvas.get_attribute("aria-label") or "")
            if canvas.is_visible()
            else self._text("#heat > p.none")
        )

    def readout(self) -> str:
        """What the heat map holds at the moment looked at."""
        return self._text("#heat-readout")

    def painted(self) -> int:
        """Pixels of the heat map that are not empty."""
        script = """canvas => { const {width, height} = canvas;
          const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
          copy.drawImage(canvas, 0, 0);
          const {data} = copy.getImageData(0, 0, width, height);
          let n = 0; for (let i = 3; i < data.length; i += 4) n += data[i] > 0; return n; }"""
        return cast(int, self.tab.locator("#heat-plot canvas").evaluate(script))

    def waiting(self) -> tuple[str, Rows]:
        """The headline, and ``pid/tid/address`` → age, reason, backing, address."""
        return self._text("#waiting-words"), self._rows("#waiting-table")

    def hooks(self) -> Rows:
        """Hook → way, state, target, refused."""
        return self._rows("#hooks-table")

    def tiles(self) -> dict[str, list[str]]:
        """Own cost: programs (when known), process, memory, since → figure, remark."""
        return cast(dict[str, list[str]], self.tab.locator("#cost-tiles").evaluate(_TILES))

    def programs(self) -> Rows:
        """Program → tick-runs, tick-per-run, tick-share, runs, per-run, share."""
        return self._rows("#cost-table")

    def no_programs(self) -> str:
        """Why there are none; empty when there are."""
        return self._text("#cost-absent")

    def missed(self) -> tuple[str, Rows]:
        """The headline, and cause → tick, start."""
        return self._text("#missed-words"), self._rows("#missed-table")

    def table(self, details: str) -> list[list[str]]:
        """The table behind a chart: rows of cells, the first being the heading. Opens it.

        :param details: a CSS selector.
        """
        node = self.tab.locator(details)
        if node.get_attribute("open") is None:
            node.locator("summary").click()
        self.settle()
        self.until(lambda: node.locator("tbody tr").count(), bool)
        return cast(list[list[str]], node.locator("table").evaluate(_GRID))

    def settle(self) -> None:
        """Until what was changed is drawn."""
        self.tab.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def width(self) -> tuple[int, int]:
        """Width of the content of the page, and of the window."""
        sizes: Any = self.tab.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        return sizes[0], sizes[1]

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.settle()
        self.tab.screenshot(path=path, full_page=True, animations="disabled")
