# SPDX-License-Identifier: GPL-2.0-only
"""Two sides by turns: A B, B A, A B, … so that a drift of the machine meets both alike."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..comparison.runs import Series
from ..errors import Exit, UserError
from ..lab.vm import run_in_vm
from .side import Machine

_MEMORY = "2G"


@dataclass(frozen=True)
class Turns:
    """``blocks``: how often each side has its turn. ``options``: what ``measure`` is called with on both.
    ``instructions``: VMs count instructions instead of time. ``timeout``: seconds for one turn.
    """

    blocks: int
    options: tuple[str, ...]
    instructions: bool
    timeout: float


def take(sides: tuple[Machine, Machine], turns: Turns, tell: Callable[[str], None]) -> tuple[Series, Series]:
    """Run all turns.

    :param tell: is told ahead of each turn what comes.
    :raises UserError: a VM or a turn failed.
    """
    found: tuple[list[Series], list[Series]] = ([], [])
    for block in range(turns.blocks):
        for index in (0, 1) if block % 2 == 0 else (1, 0):
            tell(f"turn {block + 1} of {turns.blocks}: {sides[index].side.text}")
            found[index].append(turn(sides[index], block, turns, tell))
    return _joined(found[0]), _joined(found[1])


def _joined(parts: Sequence[Series]) -> Series:
    return replace(parts[0], runs=tuple(run for part in parts for run in part.runs))


def turn(machine: Machine, block: int, turns: Turns, tell: Callable[[str], None]) -> Series:
    """One turn of one side.

    :param tell: is told why a VM has to be started once more.
    :raises UserError: it failed.
    """
    side = machine.side
    command = [sys.executable, "-m", "profiler", "measure", "--block", str(block), "--label", side.text]
    command += turns.options
    if side.fault_around_bytes is not None:
        command += ["--fault-around-bytes", str(side.fault_around_bytes)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        if machine.kernel is None:
            code = _here(command, out.fileno(), errors.fileno(), turns.timeout)
        else:
            code = run_in_vm(
                machine.kernel,
                command,
                memory=_MEMORY,
                timeout=turns.timeout,
                instructions=turns.instructions,
                stdout=out.fileno(),
                stderr=errors.fileno(),
                again=tell,
            )
        text, said = (os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in (out, errors))
    if code:
        sentence = said.decode(errors="replace").strip().removeprefix("uffd-profiler: ")
        raise UserError(f"On {side.text}: {sentence or f'measure ended with code {code}'}", Exit.CANNOT_TELL)
    return Series.from_json(json.loads(text))


def _here(command: list[str], out: int, errors: int, timeout: float) -> int:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, timeout=timeout, check=False
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise UserError(f"A turn did not end within {timeout:g} s (--timeout).", Exit.CANNOT_TELL) from error
