# SPDX-License-Identifier: GPL-2.0-only
"""The hooks, and for each the ways to reach it, best first.

The programs named here are defined in ``bpf/`` through the macros of ``bpf/probe.h``.
"""

from dataclasses import dataclass, replace
from typing import Literal

WayName = Literal["fentry", "kprobe", "tracepoint", "none"]
Kind = Literal["fentry", "fexit", "kprobe", "kretprobe", "raw_tracepoint", "software_event"]

WAYS: tuple[WayName, ...] = ("fentry", "kprobe", "tracepoint")


@dataclass(frozen=True)
class Attachment:
    """One program and what it hangs on: a function, a tracepoint or a software event."""

    kind: Kind
    target: str
    program: str


@dataclass(frozen=True)
class Way:
    """One way to reach a hook.

    ``symbol``: the traced kernel function, if any. ``walks_vmas``: it must find a VMA by itself.
    ``addresses``: symbols whose address the programs compare with. ``costs``: what it costs the machine, if
    that is so much that it is taken only when asked for.
    """

    name: WayName
    attachments: tuple[Attachment, ...]
    symbol: str | None = None
    walks_vmas: bool = False
    addresses: tuple[str, ...] = ()
    costs: str | None = None


@dataclass(frozen=True)
class Hook:
    """A logical point of the fault path.

    ``vital``: without it nothing can be measured. ``beside``: the hook whose way it has to suit, since a
    fault is judged either by its tracepoints or by its functions, never by half of each.
    """

    name: str
    what: str
    ways: tuple[Way, ...]
    vital: bool = False
    beside: str | None = None


def _raw(*tracepoints: str) -> tuple[Attachment, ...]:
    return tuple(Attachment("raw_tracepoint", name, f"raw_{name}") for name in tracepoints)


def _function(
    symbol: str,
    entry: bool = True,
    exit_: bool = False,
    also: tuple[Attachment, ...] = (),
    kprobe_also: tuple[Attachment, ...] = (),
    kprobe_exit: bool | None = None,
) -> tuple[Way, Way]:
    """Fentry and kprobe ways to the entry and the return of one kernel function."""
    fentry: list[Attachment] = []
    kprobe: list[Attachment] = []
    if entry:
        fentry.append(Attachment("fentry", symbol, f"kfunc__{symbol}"))
        kprobe.append(Attachment("kprobe", symbol, f"entry_{symbol}"))
    if exit_:
        fentry.append(Attachment("fexit", symbol, f"kretfunc__{symbol}"))
    if exit_ if kprobe_exit is None else kprobe_exit:
        kprobe.append(Attachment("kretprobe", symbol, f"return_{symbol}"))
    return (
        Way("fentry", (*fentry, *also), symbol),
        Way("kprobe", (*kprobe, *also, *kprobe_also), symbol),
    )


def _exit_first(way: Way) -> Way:
    """An exit that was not seen begun does not count; a call seen to begin and not to end would be missed."""
    return replace(way, attachments=way.attachments[::-1])


_EXCEPTIONS = _raw("page_fault_user", "page_fault_kernel")
_COMPLETIONS = (
    Attachment("software_event", "page-faults-min", "event_minor"),
    Attachment("software_event", "page-faults-maj", "event_major"),
)

HOOKS: tuple[Hook, ...] = (
    Hook(
        "process",
        "ends of threads, forks of followed processes",
        (Way("tracepoint", _raw("sched_process_exit")),),
        vital=True,
    ),
    Hook(
        "fault",
        "beginning and completion of a page fault",
        (
            *_function("handle_mm_fault", exit_=True, also=_EXCEPTIONS, kprobe_also=_COMPLETIONS),
            Way("tracepoint", (*_EXCEPTIONS, *_COMPLETIONS)),
        ),
        vital=True,
    ),
    Hook(
        "map_pages",
        "fault-around ran: ->map_pages was called",
        (
            *_function("filemap_map_pages", exit_=True),
            Way("tracepoint", _raw("mm_filemap_map_pages", "rss_stat"), walks_vmas=True),
        ),
    ),
    Hook(
        "read_fault",
        "read faults that fault-around did not solve",
        (*_function("__do_fault"), Way("tracepoint", ())),
        beside="map_pages",
    ),
    Hook(
        "fault_around_entered",
        "do_fault_around was entered",
        _function("do_fault_around"),
        beside="map_pages",
    ),
    Hook(
        "pages_mapped",
        "ptes set by ->map_pages",
        (
            *_function("set_pte_range"),
            *_function("do_set_pte"),
            *_function("alloc_set_pte", entry=False, exit_=True),
        ),
        beside="map_pages",
    ),
    Hook(
        "huge_page_mapped",
        "a huge page mapped by ->map_pages",
        _function("do_set_pmd", entry=False, exit_=True),
        beside="map_pages",
    ),
    Hook(
        "userfault",
        "handle_userfault: userfaults and their waits",
        (
            # See bpf/userfault.c for why there is no return probe on the kprobe way.
            *_function("handle_userfault", exit_=True, kprobe_exit=False, kprobe_also=_raw("sched_switch")),
            Way(
                "tracepoint",
                _raw("sched_switch", "sched_waking"),
                walks_vmas=True,
                addresses=("userfaultfd_wake_function",),
            ),
        ),
    ),
    Hook("swap_entry", "faults that reach do_swap_page", _function("do_swap_page", exit_=True)),
    Hook(
        "shmem_swapin",
        "faults that bring back a swapped-out page of shared memory",
        (*_function("shmem_swapin_folio", exit_=True), *_function("shmem_swapin_page", exit_=True)),
    ),
    Hook(
        "swap_read",
        "pages that faults read from swap",
        (*_function("swap_read_folio"), *_function("swap_readpage")),
    ),
    Hook(
        "resolve",
        "ioctls that resolve userfaults",
        (
            *map(_exit_first, _function("userfaultfd_ioctl", exit_=True)),
            Way("tracepoint", _raw("sys_exit", "sys_enter"), costs="every system call of the machine"),
        ),
    ),
)

SYMBOLS = {way.symbol for hook in HOOKS for way in hook.ways if way.symbol} | {
    address for hook in HOOKS for way in hook.ways for address in way.addresses
}
"""Every kernel symbol that a way may need."""
