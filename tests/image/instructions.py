# SPDX-License-Identifier: GPL-2.0-only
"""A Dockerfile as stages of instructions, with its variables; the grammar is read by BuildKit's own parser.

What is not understood here is refused, so that nothing of a Dockerfile passes a test by being left out.
Meaning of each instruction: the Dockerfile reference of Docker's documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import dockerfile  # type: ignore[import-not-found]

_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?::(?P<operator>[-+])(?P<word>[^}]*))?\})"
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

FLAGS = {
    "FROM": frozenset[str](),
    "COPY": frozenset({"from"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "retries"}),
}
"""Flags that are understood; the other instructions take none here."""


class UnsupportedError(Exception):
    """A Dockerfile that is wrong, or holds what is not understood; the message names the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, comments and continuations removed.

    ``exec_form``: ``words`` came as a JSON list. ``original``: as written, on one line.
    """

    name: str
    words: tuple[str, ...]
    flags: Mapping[str, str]
    exec_form: bool
    line: int
    original: str

    def pairs(self) -> list[tuple[str, str]]:
        """Of ENV and LABEL: names and values."""
        return list(zip(self.words[::2], self.words[1::2], strict=True))

    def command(self) -> tuple[str, ...]:
        """Of RUN, CMD, ENTRYPOINT: the argv, by a shell where it is in shell form."""
        return self.words if self.exec_form else ("/bin/sh", "-c", " ".join(self.words))


@dataclass(frozen=True)
class Stage:
    """``base``: an image, or the name of a stage before; ``instructions``: those after FROM."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Healthcheck:
    """HEALTHCHECK; times in seconds."""

    command: tuple[str, ...]
    interval: float
    timeout: float
    start_period: float
    retries: int


def parse(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments declared before the first FROM, with their defaults, and the stages.

    :raises UnsupportedError: no Dockerfile, or one with flags that are not understood.
    """
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        raise UnsupportedError(str(error)) from error
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for command in commands:
        instruction = _instruction(command)
        if instruction.name == "FROM":
            stages.append(_stage(instruction, arguments, str(len(stages))))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, (*last.instructions, instruction))
        elif instruction.name == "ARG":
            arguments |= argument(instruction, arguments)
        else:
            raise UnsupportedError(f"line {instruction.line}: {instruction.name} before the first FROM")
    if not stages:
        raise UnsupportedError("no FROM")
    return arguments, stages


def _instruction(command: "dockerfile.Command") -> Instruction:
    flags = dict(flag.removeprefix("--").partition("=")[::2] for flag in command.flags)
    unknown = flags.keys() - FLAGS.get(command.cmd, frozenset())
    if unknown or command.heredocs:
        what = ", ".join(f"--{flag}" for flag in sorted(unknown)) or "a here-document"
        raise UnsupportedError(f"line {command.start_line}: {command.cmd} with {what} is not understood")
    return Instruction(
        command.cmd,
        tuple(command.value),
        flags,
        command.json,
        command.start_line,
        re.sub(r"\s+", " ", command.original).strip(),
    )


def _stage(instruction: Instruction, arguments: Mapping[str, str], name: str) -> Stage:
    match [expand(word, arguments) for word in instruction.words]:
        case [base]:
            return Stage(base, name, ())
        case [base, keyword, given] if keyword.upper() == "AS":
            return Stage(base, given.lower(), ())
        case _:
            raise UnsupportedError(f"line {instruction.line}: {instruction.original}")


def argument(instruction: Instruction, outer: Mapping[str, str]) -> dict[str, str]:
    """Of ARG: names and values; one without a default has that of ``outer``, if it is there."""
    found = {}
    for word in instruction.words:
        name, given, default = word.partition("=")
        if given:
            found[name] = expand(default, outer)
        elif name in outer:
            found[name] = outer[name]
    return found


def healthcheck(instruction: Instruction) -> Healthcheck | None:
    """Of HEALTHCHECK; ``None`` for NONE. What is left out has Docker's default."""
    if instruction.words[0] == "NONE":
        return None
    inner = Instruction("CMD", instruction.words[1:], {}, instruction.exec_form, instruction.line, "")
    flags = instruction.flags
    return Healthcheck(
        inner.command(),
        seconds(flags.get("interval", "30s")),
        seconds(flags.get("timeout", "30s")),
        seconds(flags.get("start-period", "0s")),
        int(flags.get("retries", "3")),
    )


def seconds(duration: str) -> float:
    """``1m30s`` → 90.0."""
    parts = re.findall(r"(\d+)(ms|s|m|h)", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise UnsupportedError(f"{duration!r} is not a duration")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def expand(word: str, variables: Mapping[str, str]) -> str:
    """Without its quotes, variables replaced: one that is not set is empty. Single quotes keep them."""
    if len(word) > 1 and word[0] == word[-1] == "'":
        return word[1:-1]

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return found["escaped"]
        known = variables.get(found["name"] or found["braced"], "")
        if found["operator"] == "-":
            return known or found["word"]
        return found["word"] if found["operator"] and known else "" if found["operator"] else known

    return _VARIABLE.sub(value, re.sub(r'(?<!\\)"', "", word))
