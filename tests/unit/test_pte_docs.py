# SPDX-License-Identifier: GPL-2.0-only
"""docs/pte.md says what the decoder does."""

import argparse
import re
from pathlib import Path

import pytest

from profiler.commands import pte
from profiler.pte import kinds as k
from profiler.pte.decode import decode
from profiler.pte.named import NAMES, named
from profiler.pte.proposals import PROPOSALS, Proposal

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "pte.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", TEXT, re.MULTILINE))
PROPOSED = re.findall(r"^\| `([a-z0-9-]+)` \| `(0x[0-9a-f]+)` \| `(\w+)` \|$", TEXT, re.MULTILINE)
KINDS = re.findall(r"^\| (`.*?`) \| .* \| (.*) \|$", SECTIONS["Kinds"], re.MULTILINE)


def test_every_kind_and_its_label_are_described() -> None:
    labels = {kind: label for cell, label in KINDS for kind in re.findall(r"`(\w+)`", cell)}
    assert set(labels) == set(k.MEANING)
    for kind, label in labels.items():
        if kind != k.MARKER:
            known = k.label_of(kind)
            assert label == ("-" if known in ("none", "present") else f"`{known}`"), kind


@pytest.mark.parametrize(("proposal", "value", "kind"), PROPOSED)
def test_the_proposals_decode_as_the_table_says(proposal: Proposal, value: str, kind: str) -> None:
    layout = named("debian-6.1")
    assert decode(int(value, 16), layout).kinds == (kind,)
    chosen = decode(int(value, 16), layout, proposal=proposal, vma_is_anonymous=False)
    assert chosen.kinds == (k.UFFD_WP_SPECIAL,)


def test_every_proposal_is_in_the_table() -> None:
    assert {proposal for proposal, _, _ in PROPOSED} == set(PROPOSALS)


def test_every_layout_is_named() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("Layouts by name"))
    assert tuple(re.findall(r"`([^`]+)`", line)) == NAMES


def test_examples_are_command_lines_that_exist() -> None:
    parser = argparse.ArgumentParser()
    pte.add_arguments(parser)
    examples = re.findall(r"^ *uffd-profiler pte ([^#\n]*)", TEXT + (pte.__doc__ or ""), re.MULTILINE)
    assert len(examples) >= 8
    for example in examples:
        parser.parse_args(example.split())


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_somewhere(link: str) -> None:
    assert (DOCS / link).exists()
