# SPDX-License-Identifier: GPL-2.0-only
"""Execute a Dockerfile: each instruction does to a root file system what a container engine would do.

Not modelled: layers, build secrets, ADD, ONBUILD, VOLUME. An instruction that is not modelled is refused.
"""

import copy
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.image.base import ENVIRONMENT
from tests.image.instructions import (
    Healthcheck,
    Instruction,
    Stage,
    UnsupportedError,
    argument,
    expand,
    healthcheck,
    parse,
)
from tests.image.machine import Loan
from tests.image.sandbox import Sandbox

STEP_S = 600
"""Seconds that one RUN may take."""


class StepError(Exception):
    """An instruction that failed; the message holds it, and what it said."""


@dataclass
class Image:
    """A root file system and the configuration that goes with it, as it stands after some instruction."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))
    directory: str = "/"
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    exposed: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    arguments: dict[str, str] = field(default_factory=dict)

    def ids(self) -> tuple[int, int]:
        """User and group of USER, by the image's own /etc/passwd and /etc/group.

        :raises KeyError: it has no such user or group.
        """
        user, _, group = self.user.partition(":")
        uid, gid = (0, 0) if not user else _lookup(self.root / "etc/passwd", user)
        return uid, gid if not group else _lookup(self.root / "etc/group", group)[0]

    def variables(self) -> dict[str, str]:
        """What ``$NAME`` may name here: ARG, and ENV before it."""
        return self.arguments | self.environment


def _lookup(database: Path, wanted: str) -> tuple[int, int]:
    """Third and fourth field of the line whose name is ``wanted``; a number need not be listed."""
    for line in database.read_text().splitlines():
        name, _, first, second, *_ = [*line.split(":"), "0"]
        if wanted in (name, first):
            return int(first), int(second) if second.isdigit() else 0
    if wanted.isdigit():
        return int(wanted), 0
    raise KeyError(f"{database} has no {wanted}")


_Stages = dict[str, "Future[Image]"]


class Builder:
    """Builds in ``folder``, which holds one folder for each stage afterwards.

    Stages that do not wait for each other are built at the same time.

    :param base: gives the root file system of a base image, which is copied, never written.
    :param context: the build context.
    :param loan: what each RUN may use of the machine.
    """

    def __init__(self, folder: Path, context: Path, base: Callable[[str], Path], loan: Loan) -> None:
        self._folder = folder
        self._context = context
        self._base = base
        self._loan = loan
        self._outer: dict[str, str] = {}
        self._stages: _Stages = {}

    def build(self, text: str) -> Image:
        """Build all stages; the last is the image.

        :raises UnsupportedError: an instruction that is not understood.
        :raises StepError: an instruction that failed.
        """
        self._outer, stages = parse(text)
        with ThreadPoolExecutor(len(stages)) as pool:
            for number, stage in enumerate(stages):
                # Each sees only those before it, so that some stage can always go on.
                made = pool.submit(self._stage, stage, number, dict(self._stages))
                self._stages |= {stage.name: made, str(number): made}
        for made in self._stages.values():
            made.result()
        return self.stage(str(len(stages) - 1))

    def stage(self, name: str) -> Image:
        """A stage that was built, by name or number."""
        return self._stages[name].result()

    def _stage(self, stage: Stage, number: int, earlier: _Stages) -> Image:
        image = self._begin(stage, number, earlier)
        for instruction in stage.instructions:
            self._execute(instruction, image, earlier)
        return image

    def _begin(self, stage: Stage, number: int, earlier: _Stages) -> Image:
        root = self._folder / f"stage-{number}"
        before = earlier[stage.base].result() if stage.base in earlier else None
        copied = before.root if before else self._base(stage.base)
        subprocess.run(["cp", "-a", "--reflink=auto", copied, root], check=True)
        return Image(root) if before is None else replace(copy.deepcopy(before), root=root, arguments={})

    def _execute(self, instruction: Instruction, image: Image, earlier: _Stages) -> None:
        def expanded(word: str) -> str:
            return expand(word, image.variables())

        words = instruction.words
        match instruction.name:
            case "ARG":
                image.arguments |= argument(instruction, self._outer | image.variables())
            case "ENV":
                image.environment |= {name: expanded(value) for name, value in instruction.pairs()}
            case "LABEL":
                image.labels |= {expanded(name): expanded(value) for name, value in instruction.pairs()}
            case "WORKDIR":
                image.directory = os.path.normpath(os.path.join(image.directory, expanded(words[0])))  # noqa: PTH118
                _inside(image.root, image.directory).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = expanded(words[0])
            case "EXPOSE":
                image.exposed += map(expanded, words)
            case "ENTRYPOINT":
                image.entrypoint = instruction.command()
            case "CMD":
                image.command = instruction.command()
            case "HEALTHCHECK":
                image.healthcheck = healthcheck(instruction)
            case "COPY":
                self._copy(instruction, image, [expanded(word) for word in words], earlier)
            case "RUN":
                self._run(instruction, image)
            case other:
                raise UnsupportedError(f"line {instruction.line}: {other} is not understood")

    def _run(self, instruction: Instruction, image: Image) -> None:
        user, group = image.ids()
        home = {} if user else {"HOME": "/root"}
        sandbox = Sandbox(
            image.root,
            home | self._loan.environment | image.variables(),
            image.directory,
            user,
            group,
            binds=self._loan.binds,
            writable=True,
        )
        try:
            done = sandbox.run(instruction.command(), STEP_S)
        except subprocess.TimeoutExpired as error:
            raise StepError(f"{_where(instruction)}: not done after {STEP_S} s") from error
        if done.returncode:
            said = (done.stdout + done.stderr)[-6000:]
            raise StepError(f"{_where(instruction)}: exit code {done.returncode}\n{said}")

    def _copy(self, instruction: Instruction, image: Image, words: list[str], earlier: _Stages) -> None:
        origin = instruction.flags.get("from")
        if origin is not None and origin not in earlier:
            raise UnsupportedError(f"line {instruction.line}: no stage {origin} before this one")
        root = earlier[origin].result().root if origin is not None else self._context
        *sources, destination = words
        target = _inside(image.root, os.path.join(image.directory, destination))  # noqa: PTH118
        into = destination.endswith("/") or len(sources) > 1
        for name in sources:
            source = _inside(root, name)
            if not source.exists():
                raise StepError(f"{_where(instruction)}: {name} is not there")
            # Of a folder, COPY takes the contents. What it copies is root's.
            folder = source.is_dir()
            (target if into or folder else target.parent).mkdir(parents=True, exist_ok=True)
            cp = ["cp", "-dR", "--preserve=mode,timestamps,links", "--no-preserve=ownership"]
            subprocess.run([*cp, f"{source}/." if folder else source, target], check=True)


def _inside(root: Path, name: str) -> Path:
    """Where ``name`` lies in ``root``; no ``..`` and no link leads out of it."""
    path = root / os.path.normpath("/" + name).lstrip("/")
    if not path.resolve().is_relative_to(root.resolve()):
        raise UnsupportedError(f"{name} leads out of {root}")
    return path


def _where(instruction: Instruction) -> str:
    return f"Dockerfile line {instruction.line}: {instruction.original}"


def files(root: Path) -> Iterator[Path]:
    """All entries of a root file system; links are not followed."""
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield Path(folder, name)
