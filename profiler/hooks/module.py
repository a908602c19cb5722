# SPDX-License-Identifier: GPL-2.0-only
"""The compiled programs of one plan, loaded and attached: everything that touches BCC.

Imported by nobody but the attaching child.
"""

import ctypes as ct
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from .. import slots
from ..errors import Exit, UserError
from ..kernel import abilities
from . import kept, program
from .calibrate import Settings
from .catalogue import Attachment
from .compiled import Compiled, Map, compile_source, with_maps
from .planner import Plan

_PERF_TYPE_SOFTWARE = 1
_SOFTWARE_EVENTS = {"page-faults-min": 5, "page-faults-maj": 6}  # include/uapi/linux/perf_event.h


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

    def __init__(self, chosen: Plan, facts: dict[str, int], filtered: bool) -> None:
        import bcc

        self._bcc = bcc
        self._lib = bcc.libbcc.lib
        self.cpus = abilities.possible_cpus()
        self._compiled = _compiled(program.flags(chosen, facts, self.cpus, filtered))
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
            for fd in (*self.links, *self.programs):
                os.close(fd)
            raise
        if "event_minor" in self.program_names:
            index = self.program_names.index("event_minor")
            self._update("completion", 0, self.programs[index])
            # kernel/bpf/arraymap.c: a program array is emptied when nobody holds a descriptor of it.
            self.links.append(os.dup(self.map_fd("completion")))
        self._map_settings()
        self._fill_free_rows()

    def _load(self, attachments: list[Attachment]) -> None:
        """Let the verifier work on all cores; what it refuses is loaded again by itself, for its words."""

        def load(attachment: Attachment) -> None:
            with suppress(Exception):
                self._program(attachment)

        with _captured_stderr(), ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(load, attachments))

    def _program(self, attachment: Attachment) -> int:
        types = {
            "fentry": self._bcc.BPF.TRACING,
            "fexit": self._bcc.BPF.TRACING,
            "kprobe": self._bcc.BPF.KPROBE,
            "kretprobe": self._bcc.BPF.KPROBE,
            "raw_tracepoint": self._bcc.BPF.RAW_TRACEPOINT,
            "software_event": self._bcc.BPF.PERF_EVENT,
        }
        name, compiled = attachment.program, self._compiled
        if name not in self._loaded:
            descriptors = dict(enumerate(self._maps.values()))
            code = with_maps(compiled.programs[name], descriptors)
            fd = self._lib.bcc_prog_load(
                types[attachment.kind],
                name.encode(),
                code,
                len(code),
                compiled.license.encode(),
                compiled.kernel_version,
                0,
                None,
                0,
            )
            if fd < 0:
                raise OSError(ct.get_errno(), f"cannot load {name}: {os.strerror(ct.get_errno())}")
            self._loaded[name] = int(fd)
        return self._loaded[name]

    def _create(self, one: Map) -> int:
        sizes = (one.key_bytes, one.value_bytes, one.entries, one.flags)
        fd = self._lib.bcc_create_map(one.kind, one.name.encode(), *sizes)
        if fd < 0:
            raise UserError(
                f"The kernel refuses the BPF map {one.name!r}: {os.strerror(ct.get_errno())}; "
                "run `uffd-profiler doctor` to see what this kernel allows.",
                Exit.CANNOT_ATTACH,
            )
        return int(fd)

    def _update(self, name: str, key: int | None, value: int) -> None:
        """Set one element of 32 bits; a queue has no keys."""
        place = None if key is None else ct.byref(ct.c_uint32(key))
        if self._lib.bpf_update_elem(self._maps[name], place, ct.byref(ct.c_uint32(value)), 0):
            raise OSError(ct.get_errno(), f"the BPF map {name!r} takes no more")

    def _attach(self, attachment: Attachment) -> None:
        with _captured_stderr() as said:
            try:
                fd = self._program(attachment)
            except Exception as error:
                raise RefusedError(attachment, _last_line(said()) or str(error)) from error
            self.programs.append(fd)
            self.program_names.append(attachment.program)
            links = list(self._links(attachment, fd))
            if not links or min(links) < 0:
                for fd in links:
                    if fd >= 0:
                        os.close(fd)
                raise RefusedError(attachment, _last_line(said()) or "the kernel refuses to attach")
        self.links += links

    def _links(self, attachment: Attachment, fd: int) -> Iterator[int]:
        lib = self._bcc.libbcc.lib
        target = attachment.target.encode()
        if attachment.kind in ("fentry", "fexit"):
            yield lib.bpf_attach_kfunc(fd)
        elif attachment.kind == "raw_tracepoint":
            yield lib.bpf_attach_raw_tracepoint(fd, target)
        elif attachment.kind == "software_event":
            event = _SOFTWARE_EVENTS[attachment.target]
            for cpu in abilities.online_cpus():
                yield lib.bpf_attach_perf_event(fd, _PERF_TYPE_SOFTWARE, event, 1, 0, -1, cpu, -1)
        else:
            # maxactive 0 goes through the kprobe PMU, whose probes die with the descriptor.
            is_return = int(attachment.kind == "kretprobe")
            yield lib.bpf_attach_kprobe(fd, is_return, b"uffd_" + target, target, 0, 0)

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""
        return self._maps[name]

    def _map_settings(self) -> None:
        self._memory = mmap.mmap(self.map_fd("settings"), mmap.PAGESIZE)
        self.settings = Settings.from_buffer(self._memory)

    def _fill_free_rows(self) -> None:
        for row in range(program.WAITING_ROWS):
            self._update("waiting_free", None, row)

    def reset(self) -> None:
        """Forget what was counted so far, by calibration and by the machine's own life."""
        size = self.cpus * slots.SLOTS * slots.WORDS * 8
        with mmap.mmap(self.map_fd("slots"), size) as memory:
            memory[:] = bytes(size)

    def follow(self, pid: int, how: int) -> None:
        """Count the faults of a process from now on."""
        self._update("processes", pid, how)

    def unfollow(self, pid: int) -> None:
        """Undo :meth:`follow`."""
        if self._lib.bpf_delete_elem(self._maps["processes"], ct.byref(ct.c_uint32(pid))):
            raise KeyError(pid)


def _compiled(options: list[str]) -> Compiled:
    """Kept from an earlier start, or compiled now and kept for the next."""
    source = program.source()
    name = kept.key(source, options, program.folder() / "include")
    compiled = kept.load(name)
    if compiled is None:
        os.environ["BCC_KERNEL_SOURCE"] = str(program.folder())
        with _captured_stderr() as said:
            try:
                compiled = compile_source(source, options)
            except Exception as error:
                raise UserError(
                    f"BCC cannot compile the programs of {program.folder()}: "
                    f"{_first_error(said()) or type(error).__name__}; reinstall Debian's python3-bpfcc, "
                    "or report this line.",
                    Exit.CANNOT_ATTACH,
                ) from error
        kept.store(name, compiled)
    return compiled


@contextmanager
def _captured_stderr() -> Iterator[Callable[[], str]]:
    """LLVM, libbcc and libbpf write to descriptor 2; keep it for the sentence that is ours to write."""
    saved = os.dup(2)
    capture = os.memfd_create("stderr")
    os.dup2(capture, 2)

    def said() -> str:
        size = os.fstat(capture).st_size
        return os.pread(capture, size, 0).decode(errors="replace")

    try:
        yield said
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(capture)


def _first_error(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if "error:" in line), "")[:300]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
