# SPDX-License-Identifier: GPL-2.0-only
"""One HTML page that needs nothing else: no network, no script. What is in it, its callers say."""

from collections.abc import Iterable
from importlib.resources import files

from ... import __version__
from .parts import escape

# Read with the module: later the process may be nobody, who may not.
_STYLE = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(
    what: str,
    title: str,
    heading: str,
    facts: Iterable[tuple[str, str]],
    sections: Iterable[tuple[str, str]],
    body: str,
    foot: str,
) -> str:
    """The page.

    :param what: names it in the link past its header: ``report``.
    :param facts: name and value of what stands first.
    :param sections: id and title of each part of ``body``, for the navigation.
    :param body: HTML.
    :param foot: HTML, after the name of the program.
    """
    stated = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n" for name, value in facts)
    links = "".join(f'<li><a href="#{key}">{escape(name)}</a></li>' for key, name in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<a class="skip" href="#main">To the {what}</a>
<header>
<h1>{escape(heading)}</h1>
<dl>
{stated}</dl>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{body}</main>
<footer><p>Made by uffd-profiler {escape(__version__)}{foot}</p></footer>
</body>
</html>
"""
