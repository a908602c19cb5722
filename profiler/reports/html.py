# SPDX-License-Identifier: GPL-2.0-only
"""The report as one HTML page that needs nothing else: no network, no script."""

from importlib.resources import files
from itertools import groupby

from .. import __version__
from ..profile import Profile
from . import sections
from .header import header
from .table import Section
from .web.figures import draw
from .web.parts import cards, escape, section

# Read with the module: later the process may be nobody, who may not.
_STYLE = files(__package__).joinpath("web/report.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(profile: Profile, all_modes: bool = False) -> str:
    """The whole page.

    :param all_modes: judge every uffd mode, not only those in which a fault was seen.
    """
    found = [s for s in sections.build(profile, all_modes) if s.rows or s.key != "intervals"]
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n" for name, value in header(profile)
    )
    links = "".join(f'<li><a href="#{s.key}">{escape(s.title)}</a></li>' for s in found if not s.within)
    body = "".join(_group(profile, group) for group in _grouped(found))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>uffd-profiler: {escape(profile.kernel.release)}, {escape(profile.started_at)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<a class="skip" href="#main">To the report</a>
<header>
<h1>uffd-profiler</h1>
<dl>
{facts}</dl>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{body}</main>
<footer><p>Made by uffd-profiler {escape(__version__)}. Times marked &#8804; are upper boundaries of a \
histogram bucket. A dash means that there was no event.</p></footer>
</body>
</html>
"""


def _grouped(found: list[Section]) -> list[list[Section]]:
    """A section and those within it."""
    return [list(group) for _, group in groupby(found, key=lambda s: s.within or s.key)]


def _group(profile: Profile, group: list[Section]) -> str:
    inner = "".join(cards(s) if s.key == "verdict" else section(s, draw(profile, s.key)) for s in group)
    return f'<section aria-labelledby="{group[0].key}">\n{inner}</section>\n'
