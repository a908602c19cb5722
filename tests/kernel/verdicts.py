# SPDX-License-Identifier: GPL-2.0-only
"""The verdicts of a run, for the page of all kernels (``tests/kernels.py``).

A guest can write no file of the host's, so they leave it on standard output, a line each.
"""

import json
from typing import Any

from profiler.hooks.catalogue import WayName

MARK = "uffd-profiler-verdict "

Verdict = tuple[WayName, dict[str, Any]]
"""The way asked for, and the document of ``check --json``."""


def line(verdict: Verdict) -> str:
    """One verdict as a line."""
    return MARK + json.dumps(verdict)


def parse(text: str) -> Verdict | None:
    """Inverse of :func:`line`; ``None`` of any other line."""
    if not text.startswith(MARK):
        return None
    way, document = json.loads(text.removeprefix(MARK))
    return way, document
