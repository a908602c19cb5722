# SPDX-License-Identifier: GPL-2.0-only
"""The `docker run` of docs/container.md: what it gives the container, as the tests then give it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "container.md"


@dataclass(frozen=True)
class Run:
    """Options of `docker run`. ``volumes``: path of the machine → path inside, read-only."""

    capabilities: frozenset[str]
    machine_pids: bool
    read_only: bool
    security: frozenset[str]
    volumes: tuple[tuple[Path, str], ...]
    published: tuple[str, ...]


def documented() -> Run:
    """Read it; each option must be one that is known here."""
    block = PAGE.read_text().split("<!-- run -->")[1].split("<!-- run end -->")[0]
    words = shlex.split(block.split("```sh\n")[1].split("```")[0].replace("\\\n", " "))
    assert words[:2] == ["docker", "run"]
    assert words[-1] == "uffd-profiler"
    given: dict[str, list[str]] = {}
    options = iter(words[2:-1])
    for word in options:
        name, _, value = word.partition("=")
        given.setdefault(name, []).append(next(options) if name == "--name" else value)
    assert given.keys() == {
        *("--detach", "--name", "--pid", "--read-only", "--cap-drop", "--cap-add"),
        *("--security-opt", "--volume", "--publish"),
    }
    assert given["--cap-drop"] == ["ALL"]
    return Run(
        frozenset(name.lower() for name in given["--cap-add"]),
        given["--pid"] == ["host"],
        given["--read-only"] == [""],
        frozenset(given["--security-opt"]),
        tuple(_volume(value) for value in given["--volume"]),
        tuple(given["--publish"]),
    )


def _volume(value: str) -> tuple[Path, str]:
    outside, inside, mode = value.split(":")
    assert mode == "ro"
    return Path(outside), inside
