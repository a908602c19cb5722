# SPDX-License-Identifier: GPL-2.0-only
"""The report as one HTML page that needs nothing else: no network, no script."""

from itertools import groupby

from ..profile import Profile
from . import sections
from .header import header
from .table import Section
from .web.document import document
from .web.figures import draw
from .web.parts import cards, section


def render(profile: Profile, all_modes: bool = False) -> str:
    """The whole page.

    :param all_modes: judge every uffd mode, not only those in which a fault was seen.
    """
    found = [s for s in sections.build(profile, all_modes) if s.rows or s.key != "intervals"]
    return document(
        "report",
        f"uffd-profiler: {profile.kernel.release}, {profile.started_at}",
        "uffd-profiler",
        header(profile),
        ((s.key, s.title) for s in found if not s.within),
        "".join(_group(profile, group) for group in _grouped(found)),
        ". Times marked &#8804; are upper boundaries of a histogram bucket. "
        "A dash means that there was no event.",
    )


def _grouped(found: list[Section]) -> list[list[Section]]:
    """A section and those within it."""
    return [list(group) for _, group in groupby(found, key=lambda s: s.within or s.key)]


def _group(profile: Profile, group: list[Section]) -> str:
    inner = "".join(cards(s) if s.key == "verdict" else section(s, draw(profile, s.key)) for s in group)
    return f'<section aria-labelledby="{group[0].key}">\n{inner}</section>\n'
