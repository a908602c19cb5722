# SPDX-License-Identifier: GPL-2.0-only
"""The compiled programs of one plan, loaded and attached.

Imported by nobody but the attaching child.
"""

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from .. import slots
from ..errors import Exit, UserError
from ..kernel import abilities, bpf, perf_event
from ..kernel.btf import Btf
from . import program
from .calibrate import Settings
from .catalogue import Attachment, Kind
from .compiled import Map, with_maps
from .compiling import compiled
from .planner import Plan

_TYPES: dict[Kind, bpf.ProgramType] = {
    "fentry": "tracing",
    "fexit": "tracing",
    "kprobe": "kprobe",
    "kretprobe": "kprobe",
    "raw_tracepoint": "raw_tracepoint",
    "software_event": "perf_event",
}


class RefusedError(Exception):
    """The kernel refused one attachment."""

    def __init__(self, attachment: Attachment, reason: str) -> None:
        super().__init__(reason)
        self.attachment = attachment
        self.reason = reason


class Attached:
    """One compiled module with every program of the plan loaded and attached.

    :raises RefusedError: when the kernel refuses one; nothing stays attached then.
    """

    def __init__(self, chosen: Plan, btf: Btf, facts: dict[str, int], filtered: bool) -> None:
        self._btf = btf
        self.cpus = abilities.possible_cpus()
        self._compiled = compiled(program.flags(chosen, facts, self.cpus, filtered))
        self._maps = {one.name: self._create(one) for one in self._compiled.maps}
        self._loaded: dict[str, int] = {}
        self.program_names: list[str] = []
        self.programs: list[int] = []
        self.links: list[int] = []
        attachments = [a for hook in chosen.hooks for a in hook.attachments]
        if filtered:
            attachments.append(Attachment("raw_tracepoint", "sched_process_fork", "raw_sched_process_fork"))
        try:
            self._load(attachments)
            for attachment in attachments:
                self._attach(attachment)
        except RefusedError:
            for fd in (*self.links, *self._loaded.values(), *self._maps.values()):
                os.close(fd)
            raise
        if "event_minor" in self.program_names:
            index = self.program_names.index("event_minor")
            bpf.update(self.map_fd("completion"), 0, self.programs[index])
            # kernel/bpf/arraymap.c: a program array is emptied when nobody holds a descriptor of it.
            self.links.append(os.dup(self.map_fd("completion")))
        self._map_settings()
        self._fill_free_rows()

    def _load(self, attachments: list[Attachment]) -> None:
        """Let the verifier work on all cores; what it refuses is loaded again by itself, for its words."""

        def load(attachment: Attachment) -> None:
            with suppress(OSError, RefusedError):
                self._program(attachment)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(load, attachments))

    def _program(self, attachment: Attachment) -> int:
        name, made = attachment.program, self._compiled
        if name not in self._loaded:
            code = with_maps(made.programs[name], dict(enumerate(self._maps.values())))
            traces = (0, 0)
            if attachment.kind in ("fentry", "fexit"):
                where = bpf.TRACE_FENTRY if attachment.kind == "fentry" else bpf.TRACE_FEXIT
                traces = where, self._function(attachment)
            self._loaded[name] = bpf.load_program(
                _TYPES[attachment.kind], name, code, made.license, made.kernel_version, traces
            )
        return self._loaded[name]

    def _function(self, attachment: Attachment) -> int:
        try:
            return self._btf.function_id(attachment.target)
        except KeyError as error:
            raise RefusedError(attachment, f"BTF describes no function {attachment.target}") from error

    def _create(self, one: Map) -> int:
        try:
            return bpf.create_map(one.name, one.kind, one.key_bytes, one.value_bytes, one.entries, one.flags)
        except OSError as error:
            raise UserError(
                f"The kernel refuses the BPF map {one.name!r}: {error.strerror}; "
                "run `uffd-profiler doctor` to see what this kernel allows.",
                Exit.CANNOT_ATTACH,
            ) from error

    def _attach(self, attachment: Attachment) -> None:
        try:
            fd = self._program(attachment)
            self.programs.append(fd)
            self.program_names.append(attachment.program)
            for link in self._links(attachment, fd):
                self.links.append(link)
        except OSError as error:
            raise RefusedError(attachment, error.strerror or str(error)) from error

    def _links(self, attachment: Attachment, fd: int) -> Iterator[int]:
        if attachment.kind in ("fentry", "fexit"):
            yield bpf.attach(fd)
        elif attachment.kind == "raw_tracepoint":
            yield bpf.attach(fd, attachment.target)
        elif attachment.kind == "software_event":
            for cpu in abilities.online_cpus():
                yield perf_event.attach_software_event(fd, attachment.target, cpu)
        else:
            yield perf_event.attach_kprobe(fd, attachment.target, attachment.kind == "kretprobe")

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""
        return self._maps[name]

    def _map_settings(self) -> None:
        self._memory = mmap.mmap(self.map_fd("settings"), mmap.PAGESIZE)
        self.settings = Settings.from_buffer(self._memory)

    def _fill_free_rows(self) -> None:
        for row in range(program.WAITING_ROWS):
            bpf.update(self.map_fd("waiting_free"), None, row)

    def reset(self) -> None:
        """Forget what was counted so far, by calibration and by the machine's own life."""
        size = self.cpus * slots.SLOTS * slots.WORDS * 8
        with mmap.mmap(self.map_fd("slots"), size) as memory:
            memory[:] = bytes(size)

    def follow(self, pid: int, how: int) -> None:
        """Count the faults of a process from now on.

        :raises UserError: there are too many of them.
        """
        try:
            bpf.update(self.map_fd("processes"), pid, how)
        except OSError as error:  # E2BIG (kernel/bpf/hashtab.c: alloc_htab_elem)
            raise UserError(
                f"There are more processes to follow than there is room for ({program.PROCESSES}); "
                "name a smaller tree with --pid.",
                Exit.CANNOT_ATTACH,
            ) from error

    def unfollow(self, pid: int) -> None:
        """Undo :meth:`follow`."""
        bpf.delete(self.map_fd("processes"), pid)
