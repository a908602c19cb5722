# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler compare`` as it is called."""

import argparse
import json
from pathlib import Path

import pytest

from profiler.commands import compare as command
from profiler.errors import Exit, UserError
from tests.unit import compared
from tests.unit.compared import grid, mainline, ungated


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("files")
    before, after = grid("a", ungated, ("none", "minor"), 6), grid("b", mainline, ("none", "minor"), 6)
    return compared.written(folder, "a", before), compared.written(folder, "b", after)


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_it_prints_the_comparison(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*files) == Exit.OK
    out, err = capsys.readouterr()
    assert "WHAT CHANGED" in out
    assert err == ""


@pytest.mark.parametrize(
    ("conditions", "unsure", "code", "said"),
    [
        (
            ("read_faults@minor>+10%",),
            False,
            Exit.AGAINST_POLICY,
            "--fail-if 'read_faults@minor>+10%' is met",
        ),
        (("read_faults@none>+10%",), False, Exit.OK, ""),
        (("ns_per_fault@none>+2%",), False, Exit.OK, "cannot tell whether 'ns_per_fault@none>+2%' is met"),
        (("ns_per_fault@none>+2%",), True, Exit.CANNOT_TELL, "cannot tell whether"),
        (
            ("read_faults@none>+10%", "read_faults@minor>0"),
            False,
            Exit.AGAINST_POLICY,
            "'read_faults@minor>0'",
        ),
        (("ns_per_fault@none>+2%", "read_faults@minor>0"), True, Exit.AGAINST_POLICY, "cannot tell whether"),
    ],
)
def test_it_fails_on_what_was_asked_and_is_shown(
    files: tuple[str, str],
    conditions: tuple[str, ...],
    unsure: bool,
    code: Exit,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [option for condition in conditions for option in ("--fail-if", condition)]
    assert call(*files, *options, *(["--fail-if-unsure"] if unsure else [])) == code
    err = capsys.readouterr().err
    assert said in err
    assert bool(err) == bool(said)


def test_a_wrong_condition_is_wrong_usage(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call(*files, "--fail-if", "speed>1")
    assert ended.value.code == Exit.USAGE
    assert "is no figure: give one of read_faults, " in capsys.readouterr().err


def test_it_writes_what_was_asked(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "c.html"
    code = call(*files, "--json", "-", "--html", str(page), "--fail-if", "read_faults@minor>0")
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code == Exit.AGAINST_POLICY
    assert [c["outcome"] for c in document["conditions"]] == ["failed"]
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "failed: read_faults@minor" in page.read_text()
    with pytest.raises(UserError) as caught:
        call(*files, "--html", str(page))
    assert caught.value.code == Exit.OUTPUT
    assert call(*files, "--html", str(page), "--force") == Exit.OK


def test_a_refusal_leaves_no_file_behind(files: tuple[str, str], tmp_path: Path) -> None:
    output = tmp_path / "c.json"
    with pytest.raises(UserError) as caught:
        call(files[0], str(tmp_path / "none.json"), "--json", str(output))
    assert caught.value.code == Exit.USAGE
    assert not output.exists()


@pytest.mark.parametrize("options", [("--json", "-", "--html", "-"), ("--json", "x", "--html", "x")])
def test_two_documents_do_not_go_to_one_place(files: tuple[str, str], options: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        call(*files, *options)
    assert caught.value.code == Exit.USAGE
