# SPDX-License-Identifier: GPL-2.0-only
"""How a patched kernel writes "uffd-wp, page gone" reaches whoever attaches, if it can be counted."""

import argparse
from types import ModuleType

import pytest

from profiler.commands import profile, serve
from profiler.commands.uffd_wp_entry import COUNTED
from profiler.hooks.request import Request
from profiler.pte.proposals import PROPOSALS, Proposal
from profiler.service import log

OPTIONS: dict[str, tuple[ModuleType, str]] = {
    "--uffd-wp-entry": (profile, "Session"),
    "--collector.uffd-wp-entry": (serve, "Attaching"),
}


class ReachedError(Exception):
    """In place of attaching."""


def parsed(option: str, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    OPTIONS[option][0].add_arguments(parser)
    return parser.parse_args(words)


def request_of(monkeypatch: pytest.MonkeyPatch, option: str, *words: str) -> Request:
    command, attaching = OPTIONS[option]
    taken: list[Request] = []

    def take(request: Request) -> None:
        taken.append(request)
        raise ReachedError

    monkeypatch.setattr(command, attaching, take)
    if command is serve:
        monkeypatch.setattr(serve, "listen", lambda addresses: [])
        monkeypatch.setattr(log, "setup", lambda level, form: None)
    with pytest.raises(ReachedError):
        command.run(parsed(option, *words))
    return taken[0]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("proposal", COUNTED)
def test_it_reaches_whoever_attaches(
    monkeypatch: pytest.MonkeyPatch, option: str, proposal: Proposal
) -> None:
    assert request_of(monkeypatch, option, option, proposal).uffd_wp_entry == proposal


@pytest.mark.parametrize("option", OPTIONS)
def test_without_it_entries_are_what_they_are(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    assert request_of(monkeypatch, option).uffd_wp_entry is None


@pytest.mark.parametrize("option", OPTIONS)
def test_what_never_reaches_do_swap_page_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(PROPOSALS) - set(COUNTED) == {"prot-none"}
    with pytest.raises(SystemExit):
        parsed(option, option, "prot-none")
    said = capsys.readouterr().err
    assert "never reach do_swap_page" in said
    assert "uffd-profiler pte --uffd-wp-entry prot-none" in said


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_no_proposal_is_answered_with_those_that_are(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(option, option, "type2-offset0")
    said = capsys.readouterr().err
    assert "'type2-offset0' is none of" in said
    assert all(proposal in said for proposal in COUNTED)
