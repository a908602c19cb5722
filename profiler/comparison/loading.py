# SPDX-License-Identifier: GPL-2.0-only
"""A file of either kind, read and checked: one side of a comparison."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import UserError
from ..kernel.clock import Clock
from ..reports.json import SCHEMA as PROFILE_SCHEMA
from .documents import ProfileDocument
from .runs import SCHEMA as RUNS_SCHEMA
from .runs import Options, Series
from .samples import MalformedError, Sample, of_backing, sample

_PROFILE = TypeAdapter(ProfileDocument)

_BACKINGS = {
    "anon": "anon",
    "memfd": "shmem",
    "memfd-private": "shmem",
    "tmpfs": "shmem",
    "hugetlb": "hugetlb",
    "file": "file",
}
"""Backing of the workload (profiler/workload/options.c) → that of the counters."""

Cell = tuple[tuple[str, str | int | bool | None], ...]
"""The options of a workload, sorted by name; of a plain profile, none."""


@dataclass(frozen=True)
class Side:
    """One side.

    ``name``: how to call it: the file's name, with the label of a series. ``scope``: ``command``,
    ``processes``, ``machine``, or of a series ``workload``. ``ways``: hook → the way taken.
    ``cells``: workload → its runs; of a plain profile the one, under no option at all.
    """

    path: str
    name: str
    schema: str
    version: str
    release: str
    machine: str
    clock: Clock
    fault_around_bytes: int | None
    uffd_wp_entry: str | None
    scope: str
    argv: tuple[str, ...] | None
    exit_code: int | None
    ways: Mapping[str, str]
    cells: Mapping[Cell, tuple[Sample, ...]]

    @property
    def runs(self) -> int:
        """Of all cells together."""
        return sum(map(len, self.cells.values()))


def load(path: str) -> Side:
    """One side, from a file.

    :raises UserError: it cannot be read, or is neither document; the sentence says where it goes wrong.
    """
    data = _parse(path, _read(path))
    schema = data.get("schema") if isinstance(data, dict) else None
    try:
        if schema == PROFILE_SCHEMA:
            return _profile(path, data)
        if schema == RUNS_SCHEMA:
            return _series(path, data)
    except ValidationError as error:
        raise UserError(
            f"{path} is not a document of {schema}: {_first(error)}; write it again with uffd-profiler."
        ) from None
    except MalformedError as error:
        raise UserError(
            f"{path} is not a document of {schema}: {error}; write it again with uffd-profiler."
        ) from None
    what = f"a document of {schema!r:.80}" if isinstance(schema, str) else "no document of uffd-profiler"
    raise UserError(
        f"{path} is {what}, and this version compares {PROFILE_SCHEMA} and {RUNS_SCHEMA}; "
        "give what `uffd-profiler profile --json` or a series of runs wrote."
    )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"The file {path} cannot be read: {error.strerror}; give another name.") from None
    except ValueError:
        raise UserError(f"{path!r} is not the name of a file; give another name.") from None


def _parse(path: str, data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UserError(
            f"{path} is not JSON: {why[:120]}; give what `uffd-profiler profile --json` wrote."
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _first(error: ValidationError) -> str:
    """The first complaint of pydantic as a clause."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, found["loc"])) or "the document"
    message = str(found["msg"])
    return f"{where[:200]}: {message[:1].lower()}{message[1:200]}"


def _profile(path: str, data: object) -> Side:
    document = _PROFILE.validate_python(data)
    return _side(path, path, document, document.get("clock", "hardware"), {(): (sample(document),)})


def _series(path: str, data: object) -> Side:
    series = Series.from_json(data)
    samples_of: dict[Cell, list[Sample]] = {}
    first = series.runs[0].profile
    ways = _ways(first)
    for index, run in enumerate(series.runs):
        if _ways(run.profile) != ways or run.profile["kernel"] != first["kernel"]:
            raise MalformedError(f"runs.{index} is of another kernel or by other ways than the first run")
        if run.profile.get("clock", series.clock) != series.clock:
            raise MalformedError(f"runs.{index} has another clock than the series")
        if not run.touched_pages:
            raise MalformedError(f"runs.{index} touched no page")
        found = sample(run.profile, run.touched_pages, run.block, run.unwatched_ns)
        samples_of.setdefault(cell(run.workload), []).append(_of_its_memory(found, run.workload, index))
    name = f"{series.label} ({path})" if series.label else path
    cells = {key: tuple(samples) for key, samples in samples_of.items()}
    side = _side(path, name, first, series.clock, cells)
    return Side(
        **vars(side)
        | {
            "schema": RUNS_SCHEMA,
            "version": series.version,
            "fault_around_bytes": series.fault_around_bytes,
            "scope": "workload",
            "argv": None,
            "exit_code": None,
        }
    )


def _of_its_memory(found: Sample, workload: Options, index: int) -> Sample:
    backing = workload.get("backing")
    if backing not in _BACKINGS:
        raise MalformedError(
            f"runs.{index} has the backing {backing!r:.40}, which this version does not know"
        )
    return of_backing(found, _BACKINGS[backing])


def cell(workload: Options) -> Cell:
    """The key of a workload."""
    return tuple(sorted(workload.items()))


def _ways(document: ProfileDocument) -> dict[str, str]:
    return {hook["name"]: hook["way"] for hook in document["plan"]}


def _side(
    path: str,
    name: str,
    document: ProfileDocument,
    clock: Clock,
    cells: Mapping[Cell, tuple[Sample, ...]],
) -> Side:
    scope, kernel = document["scope"], document["kernel"]
    command = scope["command"]
    kind = "command" if command else "processes" if scope["pids"] else "machine"
    return Side(
        path=path,
        name=name,
        schema=PROFILE_SCHEMA,
        version=document["version"],
        release=kernel["release"],
        machine=kernel["machine"],
        clock=clock,
        fault_around_bytes=kernel["fault_around_bytes"],
        uffd_wp_entry=kernel["uffd_wp_entry"],
        scope=kind,
        argv=tuple(command["argv"]) if command else None,
        exit_code=command["exit_code"] if command else None,
        ways=_ways(document),
        cells=cells,
    )
