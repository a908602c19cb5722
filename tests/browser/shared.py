# SPDX-License-Identifier: GPL-2.0-only
"""What fixtures give, and where pictures are left."""

from collections.abc import Callable
from pathlib import Path

from tests.browser.driver import Page
from tests.browser.fake import Service
from tests.browser.runs import Run

Open = Callable[..., Page]
Serve = Callable[[Run | None], Service]

ARTEFACTS = Path(__file__).parents[2] / "build" / "browser"
