# SPDX-License-Identifier: GPL-2.0-only
"""Two sides by turns: what is run, in which order, and how it fails."""

import sys
from pathlib import Path
from random import Random

import pytest

from profiler.comparison.runs import Series
from profiler.errors import Exit, UserError
from profiler.experiment import grid, side, turns
from tests.unit import compared


@pytest.mark.parametrize(
    ("text", "kernel", "size"),
    [
        ("here", "here", None),
        ("lab:seed", "lab:seed", None),
        ("a/b.img,fault_around_bytes=4096", "a/b.img", 4096),
        ("here,fault_around_bytes=65536", "here", 65536),
    ],
)
def test_a_side_is_a_kernel_and_perhaps_a_setting(text: str, kernel: str, size: int | None) -> None:
    found = side.parse(text)
    assert (found.text, found.kernel, found.fault_around_bytes) == (text, kernel, size)
    assert found.is_here is (kernel == "here")


@pytest.mark.parametrize(
    "text", ["", ",fault_around_bytes=4096", "here,", "here,fault_around_bytes=0", "here,x=1", "here,4096"]
)
def test_what_is_no_side_is_wrong_usage(text: str) -> None:
    with pytest.raises(UserError, match="no side of an experiment") as error:
        side.parse(text)
    assert error.value.code == Exit.USAGE


def test_the_grid_has_a_control_and_every_single_mode() -> None:
    cells = grid.cells(31)
    assert {cell.mode for cell in cells} == {"none", "missing", "wp", "minor"}
    assert len(set(cells)) == len(cells)
    assert {cell.pages for cell in cells} == {31}
    assert {cell.cache for cell in cells if cell.mode == "missing"} == {"full", "half", "empty"}


def test_both_sides_run_a_block_in_the_same_order_and_no_two_blocks_alike() -> None:
    cells = grid.cells()
    order = grid.shuffled(cells, 1, 0)
    assert order == grid.shuffled(cells, 1, 0)
    assert sorted(order, key=cells.index) == list(cells)
    assert len({tuple(grid.shuffled(cells, block, r)) for block in range(5) for r in range(5)}) == 25


def _machine(name: str) -> side.Machine:
    return side.Machine(side.parse(name), None)


def test_turns_alternate_and_runs_of_a_side_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[str, int]] = []

    def turn(machine: side.Machine, block: int, *_: object) -> Series:
        taken.append((machine.side.text, block))
        slots = compared.mainline("none", Random(block))  # noqa: S311
        run = compared.run(compared.workload("none"), slots, block=block)
        return Series(machine.side.text, "hardware", None, (run,))

    monkeypatch.setattr(turns, "turn", turn)
    told: list[str] = []
    both = (_machine("here"), _machine("here,fault_around_bytes=4096"))
    first, second = turns.take(both, turns.Turns(3, (), True, 1), told.append)
    a, b = (machine.side.text for machine in both)
    assert taken == [(a, 0), (b, 0), (b, 1), (a, 1), (a, 2), (b, 2)]
    assert [run.block for run in first.runs] == [run.block for run in second.runs] == [0, 1, 2]
    assert (first.label, second.label, len(told)) == (a, b, 6)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("import sys; sys.exit('uffd-profiler: No.')", "On here: No."),
        ("import sys; sys.exit(3)", "On here: measure ended with code 3"),
        ("import time; time.sleep(60)", "A turn did not end within 0.5 s"),
    ],
)
def test_a_turn_that_fails_says_where_and_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, sentence: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    seconds = 0.5 if "sleep" in script else 60
    with pytest.raises(UserError, match=sentence):
        turns.turn(_machine("here"), 0, turns.Turns(1, (), False, seconds), print)
