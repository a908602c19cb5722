# SPDX-License-Identifier: GPL-2.0-only
"""What the documents say is so."""

import re
from pathlib import Path

import pytest

from profiler.__main__ import COMMANDS, parser
from profiler.errors import Exit
from profiler.slots import time_boundaries_ns
from profiler.verdict import POLICIES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_command_is_described() -> None:
    assert set(re.findall(r"^\| `uffd-profiler (\w+)", README, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_named_exist(command: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `uffd-profiler {command}"))
    known = parser([command]).format_help() + _help_of(command)
    for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", row):
        assert option in known, f"{command} has no {option}"


def _help_of(command: str) -> str:
    from argparse import _SubParsersAction

    actions = [a for a in parser([command])._actions if isinstance(a, _SubParsersAction)]
    return str(actions[0].choices[command].format_help())


def test_exit_codes() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)} == set(Exit)


def test_policies() -> None:
    for name in POLICIES:
        assert f"`{name}`" in README or f"--policy {name}`" in README


def test_boundaries() -> None:
    first, *_, last = time_boundaries_ns()
    assert first == 125
    assert f"{last / 1e9:.1f} s" in README


@pytest.mark.parametrize("target", re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.search(r"^(DEMO|BENCH)$", README, re.MULTILINE)
