# SPDX-License-Identifier: GPL-2.0-only
"""The live page in Debian's Chromium. Screenshots are left in ``build/browser``."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Profiles as real kernels give them are made there.
sys.path.append(str(Path(__file__).parents[1] / "unit"))

from playwright.sync_api import Browser, sync_playwright

from tests.browser.driver import Page
from tests.browser.fake import Service
from tests.browser.runs import Run
from tests.browser.shared import Open, Serve


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if not path:
        pytest.skip("no chromium: apt-get install chromium")
    # Chromium's own sandbox does not run as root; the pages are ours.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start fake services."""
    started: list[Service] = []

    def start(run: Run | None) -> Service:
        started.append(Service(run))
        started[-1].start()
        return started[-1]

    yield start
    for service in started:
        service.stop()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Open]:
    """Open tabs: ``tab(url, width=…, **options of the browser context)``. Each must stay without an error.

    ``script`` runs before the page's own; ``errors`` are those expected: their beginnings.
    """
    opened: list[tuple[Page, tuple[str, ...]]] = []

    def make(
        url: str, width: int = 1280, script: str = "", errors: tuple[str, ...] = (), **options: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(20_000)
        if script:
            context.add_init_script(script)
        opened.append((Page(context.new_page(), url), errors))
        return opened[-1][0]

    yield make
    for page, _ in opened:
        page.tab.context.close()
    for page, expected in opened:
        assert [error for error in page.errors if not error.startswith(expected or ("\0",))] == []
