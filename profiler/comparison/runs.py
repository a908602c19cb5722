# SPDX-License-Identifier: GPL-2.0-only
"""A series of runs: the workload grid on one kernel, each cell several times.

``reports/schema/runs.schema.json`` has the shape, ``docs/compare.md`` the meaning of each field.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from .. import __version__
from ..kernel.clock import Clock
from .documents import ProfileDocument, RunDocument, SeriesDocument

SCHEMA = "uffd-profiler/runs/1"
_DOCUMENT = TypeAdapter(SeriesDocument)

Options = Mapping[str, str | int | bool | None]


@dataclass(frozen=True)
class Run:
    """One run of the workload.

    ``workload``: what it ran with, :attr:`profiler.workload.result.Result.options`. ``touched_pages``:
    distinct 4 KiB pages that it touched. ``repetition``: which of the runs of its cell. ``block``: runs of
    both series with the same number were made close in time, and are compared as a pair. ``profile``: the
    document of the touches, as ``profile --json`` writes it. ``unwatched_ns``: time inside the touches in
    another run of the same workload, while nothing was attached; ``None`` where there was none.
    """

    workload: Options
    touched_pages: int
    repetition: int
    block: int
    profile: ProfileDocument
    unwatched_ns: int | None = None


@dataclass(frozen=True)
class Series:
    """Runs on one kernel with one setting.

    ``label``: which kernel, as the person named it. ``fault_around_bytes``: as set for the series, ``None``
    where debugfs cannot be read.
    """

    label: str
    clock: Clock
    fault_around_bytes: int | None
    runs: tuple[Run, ...]
    version: str = __version__

    def to_json(self) -> SeriesDocument:
        """The document as plain data."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "label": self.label,
            "clock": self.clock,
            "settings": {"fault_around_bytes": self.fault_around_bytes},
            "runs": [
                {
                    "workload": dict(run.workload),
                    "touched_pages": run.touched_pages,
                    "repetition": run.repetition,
                    "block": run.block,
                    "profile": run.profile,
                    "unwatched_ns": run.unwatched_ns,
                }
                for run in self.runs
            ],
        }

    @classmethod
    def from_json(cls, data: object) -> "Series":
        """Inverse of :meth:`to_json`.

        :raises pydantic.ValidationError: it has not that shape.
        """
        document = _DOCUMENT.validate_python(data)
        return cls(
            document["label"],
            document["clock"],
            document["settings"]["fault_around_bytes"],
            tuple(_run(run) for run in document["runs"]),
            document["version"],
        )


def _run(run: RunDocument) -> Run:
    return Run(
        run["workload"],
        run["touched_pages"],
        run["repetition"],
        run["block"],
        run["profile"],
        run["unwatched_ns"],
    )
