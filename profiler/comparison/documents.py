# SPDX-License-Identifier: GPL-2.0-only
"""The shapes of the two documents that can be compared, as far as a comparison reads them.

A profile is described by ``reports/schema/profile.schema.json``, a series of runs by
``reports/schema/runs.schema.json``. The axes of the families are those of :mod:`profiler.slots`, and are
checked where the slots are built (:mod:`.samples`).
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ..kernel.clock import Clock

Count = Annotated[int, Field(ge=0, lt=1 << 64)]
Word = Annotated[str, Field(max_length=1 << 20)]
_CLOSED = ConfigDict(strict=True, extra="forbid")


@with_config(_CLOSED)
class CommandDocument(TypedDict):
    """``scope.command``."""

    argv: list[Word]
    exit_code: int | None


@with_config(_CLOSED)
class ScopeDocument(TypedDict):
    """``scope``."""

    description: Word
    pids: list[Count]
    command: CommandDocument | None


@with_config(_CLOSED)
class KernelDocument(TypedDict):
    """``kernel``."""

    release: Word
    machine: Word
    fault_around_bytes: Count | None
    minor_flag: Count | None
    pte_doubts: list[Word]
    uffd_wp_entry: Word | None


@with_config(_CLOSED)
class HookDocument(TypedDict):
    """One entry of ``plan``."""

    name: Word
    what: Word
    way: Literal["fentry", "kprobe", "tracepoint", "none"]
    symbol: Word | None
    attachments: list[dict[str, Any]]
    refused: list[list[Word]]


@with_config(_CLOSED)
class RecursionDocument(TypedDict):
    """One entry of ``missed.recursion``."""

    program: Word
    hook: Word
    count: Count | None


@with_config(_CLOSED)
class MissedDocument(TypedDict):
    """``missed``."""

    causes: dict[str, Count]
    recursion: list[RecursionDocument]


@with_config(_CLOSED)
class ProfileDocument(TypedDict):
    """A profile. ``clock`` is absent where the time is that of the hardware."""

    schema: str
    version: Word
    clock: NotRequired[Clock]
    started_at: Word
    duration_ns: Count
    attach_ns: Count
    scope: ScopeDocument
    kernel: KernelDocument
    plan: list[HookDocument]
    verdicts: list[dict[str, Any]]
    policy: dict[str, Any]
    families: dict[str, list[dict[str, Any]] | None]
    missed: MissedDocument
    waiting: dict[str, Any] | None
    recent: list[dict[str, Any]] | None
    intervals: list[dict[str, Any]]
    unavailable: dict[str, Word]


@with_config(_CLOSED)
class SettingsDocument(TypedDict):
    """What was set on the kernel for the whole series."""

    fault_around_bytes: Count | None


@with_config(_CLOSED)
class RunDocument(TypedDict):
    """One run of the workload, with the profile of its touches."""

    workload: dict[str, str | int | bool | None]
    touched_pages: Count
    repetition: Count
    block: Count
    profile: ProfileDocument
    unwatched_ns: Count | None


@with_config(_CLOSED)
class SeriesDocument(TypedDict):
    """A series of runs on one kernel."""

    schema: str
    version: Word
    label: Word
    clock: Clock
    settings: SettingsDocument
    runs: Annotated[list[RunDocument], Field(min_length=1)]
