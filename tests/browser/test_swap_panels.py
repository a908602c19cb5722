# SPDX-License-Identifier: GPL-2.0-only
"""Faults on swap entries as the page shows them."""

import re
from dataclasses import replace

from profiler.slots import FAMILIES, SWAP_KINDS
from tests.browser.runs import Run, by_fentry
from tests.browser.shared import Open, Serve
from tests.unit import samples


def test_swap_entries_have_readable_names_and_are_drawn_by_how_they_ended(serve: Serve, tab: Open) -> None:
    page = tab(serve(by_fentry()).url).open()
    shown = {key: row["name"] for key, row in page.distributions().items() if key.startswith("swap_fault/")}
    assert list(shown.items()) == [
        ("swap_fault/swap_slot", "swap slots"),
        ("swap_fault/migration", "pages under migration"),
        ("swap_fault/hwpoison", "broken memory"),
        ("swap_fault/marker_uffd_wp", "markers: write-protected"),
    ]
    for place in ('[data-family="swap_fault"] .legend', '[data-group="swap_fault"] .legend'):
        legend = [words.strip() for words in page.tab.locator(f"{place} span").all_text_contents()]
        assert legend == ["minor", "major", "retried", "poisoned or error"]
    bars = page.tab.locator('[data-row="swap_fault/swap_slot"] .bars title').all_text_contents()
    assert any(re.search(r": minor \d+, major \d+$", bar) for bar in bars)


def test_every_kind_of_swap_entry_has_a_name(serve: Serve, tab: Open) -> None:
    run = Run("r", samples.fentry_plan())
    one = samples.slot("swap_fault", [1_000])
    run.tick({"swap_fault": dict.fromkeys(FAMILIES["swap_fault"].labels(), one)})
    rows = tab(serve(run).url).open().distributions()
    assert [key for key in rows if key.startswith("swap_fault/")] == [
        f"swap_fault/{kind}" for kind in SWAP_KINDS
    ]
    assert not {row["name"] for row in rows.values()} & set(SWAP_KINDS)


def test_kinds_that_cannot_be_told_apart_are_named(serve: Serve, tab: Open) -> None:
    doubt = "Not told apart: hwpoison or migration_read."
    run = by_fentry()
    run.kernel = replace(run.kernel, pte_doubts=(doubt,))
    assert doubt in tab(serve(run).url).open().lacking("swap_fault")
    assert tab(serve(by_fentry()).url).open().lacking("swap_fault") == ""
