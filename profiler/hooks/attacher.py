# SPDX-License-Identifier: GPL-2.0-only
"""The privileged child: plans, compiles, attaches, hands everything over, and is gone.

It is the only process that ever imports BCC; the memory of LLVM goes with it.
"""

import ctypes as ct
import mmap
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import slots
from ..errors import Exit, UserError
from ..kernel import abilities, layout, settings
from ..kernel.btf import Btf
from ..kernel.symbols import Symbols
from . import handover, processes, program
from .calibrate import Settings, minor_bit
from .catalogue import SYMBOLS, Attachment, Hook, Way, WayName
from .planner import Plan, plan

_PERF_TYPE_SOFTWARE = 1
_SOFTWARE_EVENTS = {"page-faults-min": 5, "page-faults-maj": 6}  # include/uapi/linux/perf_event.h
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Request:
    """What to attach for.

    :param processes: process id → how it is followed; ``None`` is system-wide.
    :param best_way: no way better than this one is taken.
    """

    processes: dict[int, int] | None = None
    best_way: WayName = "fentry"


class _Refused(Exception):
    """The kernel refused one attachment."""

    def __init__(self, attachment: Attachment, reason: str) -> None:
        super().__init__(reason)
        self.attachment = attachment
        self.reason = reason


def serve(request: Request, channel: socket.socket) -> None:
    """Body of the child: attach, hand over; what a user can mend is handed over as an error."""
    _die_with_parent()
    try:
        result = _attach(request)
    except UserError as error:
        result = handover.Handover({"error": str(error), "code": error.code}, {})
    handover.send(channel, result)


def _die_with_parent() -> None:
    parent = os.getppid()
    ct.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        os._exit(Exit.CANNOT_ATTACH)


@dataclass
class Examination:
    """What was found out about this kernel before planning."""

    btf: Btf
    symbols: Symbols
    abilities: abilities.Abilities
    facts: dict[str, int]

    def refuse(self, hook: Hook, way: Way) -> str | None:
        """Why a way cannot be taken; ``None`` if nothing speaks against trying."""
        if way.name == "fentry" and self.abilities.fentry:
            return self.abilities.fentry
        if way.name == "kprobe" and self.abilities.kprobe:
            return self.abilities.kprobe
        if way.symbol:
            why = abilities.unattachable(self.symbols, way.symbol)
            if why:
                return why
        if way.walks_vmas and self.abilities.vma_walk:
            return self.abilities.vma_walk
        for address in way.addresses:
            if self.symbols.address(address) is None:
                return f"the address of {address} is not in /proc/kallsyms"
        for attachment in way.attachments:
            if attachment.kind == "raw_tracepoint" and not self.btf.has_tracepoint(attachment.target):
                return f"this kernel has no tracepoint {attachment.target}"
        return None


def examine() -> Examination:
    """Find out what this kernel can do.

    :raises UserError: when it cannot be profiled at all.
    """
    try:
        btf = Btf()
    except OSError as error:
        raise UserError(
            f"The kernel's BTF cannot be read ({error.strerror}); "
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF, and see that libbpf.so.1 is installed.",
            Exit.CANNOT_ATTACH,
        ) from error
    symbols = Symbols(SYMBOLS)
    try:
        facts = layout.offsets(btf)
    except layout.MissingMember as error:
        raise UserError(
            f"This kernel cannot be profiled: {error}; boot a kernel with CONFIG_USERFAULTFD.",
            Exit.CANNOT_ATTACH,
        ) from error
    walk: str | None = None
    try:
        facts |= layout.maple_tree(btf)
    except layout.MissingMember as error:
        walk = f"VMAs cannot be found from a tracepoint: {error}"
    for name in SYMBOLS:
        address = symbols.address(name)
        if address is not None:
            facts[f"ADDRESS_{name}"] = address
        try:
            facts[f"NARGS_{name}"] = btf.argument_count(name)
        except KeyError:
            continue
    can = abilities.Abilities(abilities.try_fentry(btf), abilities.try_kprobe(), walk)
    return Examination(btf, symbols, can, facts)


def _attach(request: Request) -> handover.Handover:
    settings.private_mounts()
    examination = examine()
    refused: dict[tuple[str, WayName], str] = {}

    def refuse(hook: Hook, way: Way) -> str | None:
        return refused.get((hook.name, way.name)) or examination.refuse(hook, way)

    while True:
        chosen = plan(refuse, request.best_way)
        _require_vital(chosen)
        try:
            attached = _Attached(chosen, examination.facts, request.processes is not None)
        except _Refused as error:
            hook = next(h for h in chosen.hooks if error.attachment in h.attachments)
            refused[hook.name, hook.way] = f"{error.attachment.target}: {error.reason}"
            continue
        return _hand_over(request, chosen, attached)


def _require_vital(chosen: Plan) -> None:
    for name in ("process", "fault"):
        hook = chosen.hook(name)
        if hook.way == "none":
            raise UserError(
                f"The hook {name!r} ({hook.what}) cannot be attached: {hook.reason}; "
                "run `uffd-profiler doctor` to see what this kernel allows.",
                Exit.CANNOT_ATTACH,
            )


def _hand_over(request: Request, chosen: Plan, attached: "_Attached") -> handover.Handover:
    filtered = request.processes is not None
    if filtered:
        attached.follow(os.getpid(), processes.COUNTED)
    # Without the read path nothing asks for the mode of a region, and nothing could tell the bit.
    minor = minor_bit(attached.settings) if chosen.way("read_fault") != "none" else None
    if filtered:
        attached.unfollow(os.getpid())
    attached.reset()
    if request.processes is not None:
        processes.insert(attached.follow, request.processes)
    facts: dict[str, Any] = {
        "plan": chosen.to_json(),
        "cpus": attached.cpus,
        "fault_around_bytes": settings.fault_around_bytes(),
        "minor_flag": minor,
        "programs": attached.program_names,
    }
    return handover.Handover(
        facts,
        {
            "slots": [attached.map_fd("slots")],
            "waiting": [attached.map_fd("waiting")],
            "programs": attached.programs,
            "links": attached.links,
        },
    )


class _Attached:
    """One compiled module with every program of the plan loaded and attached.

    :raises _Refused: when the kernel refuses one; nothing stays attached then.
    """

    def __init__(self, chosen: Plan, facts: dict[str, int], filtered: bool) -> None:
        os.environ["BCC_KERNEL_SOURCE"] = str(program.folder())
        import bcc

        class Module(bcc.BPF):  # type: ignore[misc]
            def _trace_autoload(self) -> None:
                """Attach nothing by function name: this file does it, and sees each failure."""

        self._bcc = bcc
        self.cpus = abilities.possible_cpus()
        options = program.flags(chosen, facts, self.cpus, filtered)
        with _captured_stderr() as said:
            try:
                self._module = Module(text=program.source().encode(), cflags=options)
            except Exception as error:
                raise UserError(
                    f"BCC cannot compile the programs of {program.folder()}: "
                    f"{_first_error(said()) or type(error).__name__}; reinstall Debian's python3-bpfcc, "
                    "or report this line.",
                    Exit.CANNOT_ATTACH,
                ) from error
        self.program_names: list[str] = []
        self.programs: list[int] = []
        self.links: list[int] = []
        attachments = [a for hook in chosen.hooks for a in hook.attachments]
        if filtered:
            attachments.append(Attachment("raw_tracepoint", "sched_process_fork", "raw_sched_process_fork"))
        try:
            for attachment in attachments:
                self._attach(attachment)
        except _Refused:
            for fd in (*self.links, *self.programs):
                os.close(fd)
            raise
        self._map_settings()
        self._fill_free_rows()

    def _attach(self, attachment: Attachment) -> None:
        types = {
            "fentry": self._bcc.BPF.TRACING,
            "fexit": self._bcc.BPF.TRACING,
            "kprobe": self._bcc.BPF.KPROBE,
            "kretprobe": self._bcc.BPF.KPROBE,
            "raw_tracepoint": self._bcc.BPF.RAW_TRACEPOINT,
            "software_event": self._bcc.BPF.PERF_EVENT,
        }
        with _captured_stderr() as said:
            try:
                loaded = self._module.load_func(attachment.program.encode(), types[attachment.kind])
            except Exception as error:
                raise _Refused(attachment, _last_line(said()) or str(error)) from error
            self.programs.append(loaded.fd)
            self.program_names.append(attachment.program)
            links = list(self._links(attachment, loaded.fd))
            if not links or min(links) < 0:
                for fd in links:
                    if fd >= 0:
                        os.close(fd)
                raise _Refused(attachment, _last_line(said()) or "the kernel refuses to attach")
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
        return int(self._module[name.encode()].map_fd)

    def _map_settings(self) -> None:
        self._memory = mmap.mmap(self.map_fd("settings"), mmap.PAGESIZE)
        self.settings = Settings.from_buffer(self._memory)

    def _fill_free_rows(self) -> None:
        free = self._module[b"waiting_free"]
        for row in range(program.WAITING_ROWS):
            free.push(ct.c_uint32(row))

    def reset(self) -> None:
        """Forget what was counted so far, by calibration and by the machine's own life."""
        size = self.cpus * slots.SLOTS * slots.WORDS * 8
        with mmap.mmap(self.map_fd("slots"), size) as memory:
            memory[:] = bytes(size)

    def follow(self, pid: int, how: int) -> None:
        """Count the faults of a process from now on."""
        table = self._module[b"processes"]
        table[ct.c_uint32(pid)] = ct.c_uint32(how)

    def unfollow(self, pid: int) -> None:
        """Undo :meth:`follow`."""
        del self._module[b"processes"][ct.c_uint32(pid)]


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


def bcc_missing() -> str | None:
    """Why BCC cannot be imported here; ``None`` if its package is in place (it is not imported)."""
    from importlib.util import find_spec

    if find_spec("bcc") is None:
        return "the Python module bcc is not importable"
    return None if Path("/proc/sys/kernel").exists() else "/proc is not mounted"
