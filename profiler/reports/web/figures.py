# SPDX-License-Identifier: GPL-2.0-only
"""Which drawings a profile gives."""

from collections.abc import Iterable

from ...profile import Profile
from ...slots import MODES, REASONS, SWAP_KINDS
from ...snapshot import Slot, boundaries
from .. import availability
from ..sections.intervals import began
from ..sections.swap_entry import READ_FOR
from ..sections.userfault import waiting_now
from ..units import number, words
from .distribution import MOST_TICKS, distribution, remark, values_of
from .svg import Row, Series, strips

_GROUPS = (
    ("fault-around ran", "ran", ("ran",)),
    ("skipped", "skipped", ("skipped", "returned_early", "not_entered")),
    ("undetermined or not applicable", "other", ("undetermined", "not_applicable")),
)
_SWAP_GROUPS = (
    ("minor", "skipped", ("minor",)),
    ("major", "ran", ("major",)),
    ("retried", "other", ("retried",)),
    ("poisoned or error", "stuck", ("poisoned", "error")),
)


def draw(profile: Profile, key: str) -> str:
    """The figure of a section, or nothing."""
    drawers = {
        "read-path": _latency,
        "fault-around": _pages,
        "userfaults": _waits,
        "swap-entries": _swap_entries,
        "shmem-swapin": _shmem_swapin,
        "swap-read": _swap_read,
        "intervals": _timeline,
    }
    return drawers[key](profile) if key in drawers else ""


def _summed(profile: Profile, family: str, **labels: str | Iterable[str]) -> Slot:
    return profile.total.total(family, **labels)


def _latency(profile: Profile) -> str:
    found = []
    limits = boundaries("read_fault")
    for mode in MODES:
        whole = _summed(profile, "read_fault", uffd_mode=mode, origin="user")
        if whole.count:
            groups = [
                (
                    name,
                    kind,
                    _summed(profile, "read_fault", uffd_mode=mode, origin="user", fault_around=labels),
                )
                for name, kind, labels in _GROUPS
            ]
            series = [Series(name, kind, values_of(slot)) for name, kind, slot in groups]
            found.append((mode, remark(whole, "faults", limits), series))
    title = "Own time of read faults raised in user mode, by uffd mode"
    return distribution("read_fault", title, "Read faults", found)


def _pages(profile: Profile) -> str:
    if availability.figure(profile.plan, "fault_around_run", "buckets"):
        return ""
    found = []
    for mode in MODES:
        slot = _summed(profile, "fault_around_run", uffd_mode=mode)
        if slot.count:
            said = f"{slot.count} runs &#183; mean {number(slot.mean)} pages"
            found.append((mode, said, [Series("runs", "ran", values_of(slot))]))
    return distribution("fault_around_run", "Pages mapped by each run of fault-around", "Runs", found)


def _waits(profile: Profile) -> str:
    found = []
    for reason in REASONS:
        slot = _summed(profile, "userfault", reason=reason, result="resolved")
        if slot.count:
            said = remark(slot, "resolved", boundaries("userfault"))
            found.append((reason, said, [Series("userfaults", "wait", values_of(slot))]))
    return distribution("userfault", "Wait of resolved userfaults, by reason", "Userfaults", found)


def _swap_entries(profile: Profile) -> str:
    found = []
    for kind in SWAP_KINDS:
        whole = _summed(profile, "swap_fault", kind=kind)
        if whole.count:
            series = [
                Series(name, colour, values_of(_summed(profile, "swap_fault", kind=kind, result=results)))
                for name, colour, results in _SWAP_GROUPS
            ]
            found.append((words(kind), remark(whole, "faults", boundaries("swap_fault")), series))
    return distribution("swap_fault", "Own time of swap-entry faults, by kind", "Faults", found)


def _shmem_swapin(profile: Profile) -> str:
    whole = _summed(profile, "shmem_swapin")
    series = [
        Series(name, colour, values_of(_summed(profile, "shmem_swapin", result=results)))
        for name, colour, results in (*_SWAP_GROUPS[:2], ("error", "stuck", ("error",)))
    ]
    found = [("shared memory", remark(whole, "faults", boundaries("shmem_swapin")), series)]
    return distribution("shmem_swapin", "Time in which shared memory was swapped in", "Faults", found)


def _swap_read(profile: Profile) -> str:
    found = []
    for by, label in READ_FOR.items():
        slot = _summed(profile, "swap_read", by=by)
        if slot.count:
            said = f"{slot.count} faults &#183; mean {number(slot.mean)} pages"
            found.append((label, said, [Series("faults", "ran", values_of(slot))]))
    return distribution("swap_read", "Pages read from swap by each fault that read", "Faults", found)


def _timeline(profile: Profile) -> str:
    intervals, plan = profile.intervals, profile.plan
    if not intervals:
        return ""
    ends = [(interval.monotonic_ns - began(profile)) / 1e9 for interval in intervals]
    names = [f"until {end:.2f}s" for end in ends]
    rows: list[Row] = []

    def add(label: str, family: str, *series: Series) -> None:
        totals = [sum(values) for values in zip(*(s.values for s in series), strict=True)]
        if not availability.family(plan, family) and any(totals):
            rows.append(Row(label, f"at most {max(totals)} in one interval", series))

    groups = (
        Series(name, kind, tuple(i.total("read_fault", fault_around=labels).count for i in intervals))
        for name, kind, labels in _GROUPS
    )
    add("read faults", "read_fault", *groups)
    begun = tuple(i.total("userfault_begun").count for i in intervals)
    add("userfaults begun", "userfault", Series("userfaults", "wait", begun))
    still = tuple(waiting_now(i) for i in intervals)
    add("threads waiting at the end of the interval", "userfault", Series("waiting", "stuck", still))
    swapped = tuple(i.total("swap_fault").count for i in intervals)
    add("swap entries", "swap_fault", Series("swap entries", "other", swapped))
    step = -(-len(ends) // MOST_TICKS)
    ticks = [((i + 1) / len(ends), f"{end:.1f}s") for i, end in enumerate(ends) if (i + 1) % step == 0]
    return strips("figure-intervals", "Over time", "One bar per interval", rows, names, ticks) if rows else ""
