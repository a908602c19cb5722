# SPDX-License-Identifier: GPL-2.0-only
"""Whether two sides can be compared at all, and what a reader must know if they can."""

from ..errors import Exit, UserError
from .loading import Side
from .runs import SCHEMA as RUNS_SCHEMA

_KINDS = {
    "command": "a command",
    "processes": "some processes",
    "machine": "the whole machine",
    "workload": "the built-in workload",
}
_CLOCKS = {
    "hardware": "real time",
    "emulated": "time under emulation",
    "instructions": "instructions of the guest",
}


def refuse(before: Side, after: Side) -> None:
    """Nothing, if they can be compared.

    :raises UserError: with :attr:`Exit.CANNOT_TELL`, if not; the sentence says what differs.
    """
    for why in (_kind(before, after), _context(before, after), _ways(before, after), _cells(before, after)):
        if why:
            raise UserError(f"{before.path} and {after.path} cannot be compared: {why}.", Exit.CANNOT_TELL)


def _kind(before: Side, after: Side) -> str | None:
    if before.schema != after.schema:
        series, profile = (before, after) if before.schema == RUNS_SCHEMA else (after, before)
        return f"{series.path} is a series of runs and {profile.path} one profile; give two of one kind"
    return None


def _context(before: Side, after: Side) -> str | None:
    if before.clock != after.clock:
        return (
            f"one counts {_CLOCKS[before.clock]} and the other {_CLOCKS[after.clock]}; take both by one clock"
        )
    if before.machine != after.machine:
        machines = f"{before.machine:.40} and the other of {after.machine:.40}"
        return f"one is of {machines}; take both on one architecture"
    if before.scope != after.scope:
        return f"one is of {_KINDS[before.scope]} and the other of {_KINDS[after.scope]}; profile the same"
    if before.argv != after.argv:
        commands = (" ".join(argv or ()) for argv in (before.argv, after.argv))
        first, second = (f"`{text[:57]}...`" if len(text) > 60 else f"`{text}`" for text in commands)
        return f"one is of the command {first} and the other of {second}; profile the same command line"
    return None


def _ways(before: Side, after: Side) -> str | None:
    """Two ways to one hook count the same, but cost and see differently."""
    for hook in dict.fromkeys((*before.ways, *after.ways)):
        one, other = before.ways.get(hook, "none"), after.ways.get(hook, "none")
        if one != other and "none" not in (one, other):
            return (
                f"the hook {hook} is taken by {one} before and by {other} after; "
                "take both with the same --best-way"
            )
    return None


def _cells(before: Side, after: Side) -> str | None:
    if before.cells.keys() & after.cells.keys():
        return None
    return "no workload was run on both sides; run the same grid"


def notes(before: Side, after: Side) -> tuple[str, ...]:
    """In the order of their weight, one sentence or two each."""
    return tuple(
        note
        for note in (
            _lost(before, after),
            _clock(before),
            _fault_around(before, after),
            _uffd_wp_entry(before, after),
            *_one_sided_hooks(before, after),
            _exit_codes(before, after),
            _scope(before),
            _one_run(before, after),
            _pages(before),
            _tracepoints(before),
            _versions(before, after),
        )
        if note
    )


def _lost(before: Side, after: Side) -> str | None:
    lost = [
        sum(run.lost_of(None) for runs in side.cells.values() for run in runs) for side in (before, after)
    ]
    if not any(lost):
        return None
    return (
        f"Events were lost: {lost[0]} before, {lost[1]} after. Figures that may lack them are lower limits, "
        "and their changes are not judged."
    )


def _clock(side: Side) -> str | None:
    return {
        "hardware": None,
        "emulated": "Times are ns under emulation: only counts, and ratios within one run, mean anything.",
        "instructions": "Times are instructions that the guest executed (insn): they know no caches.",
    }[side.clock]


def _fault_around(before: Side, after: Side) -> str | None:
    if before.fault_around_bytes == after.fault_around_bytes:
        return None
    sizes = ("unknown" if s.fault_around_bytes is None else s.fault_around_bytes for s in (before, after))
    return "fault_around_bytes differs: {} before, {} after.".format(*sizes)


def _uffd_wp_entry(before: Side, after: Side) -> str | None:
    if before.uffd_wp_entry == after.uffd_wp_entry:
        return None
    chosen = (side.uffd_wp_entry or "none" for side in (before, after))
    return (
        "--uffd-wp-entry differs: {} before, {} after; swap faults of kind uffd_wp_special are told apart "
        "from others only where it was chosen.".format(*chosen)
    )


def _one_sided_hooks(before: Side, after: Side) -> list[str]:
    found = []
    for hook in dict.fromkeys((*before.ways, *after.ways)):
        absent = [side.ways.get(hook, "none") == "none" for side in (before, after)]
        if absent[0] != absent[1]:
            where = "before" if absent[0] else "after"
            found.append(
                f"The hook {hook} is absent {where}: its figures are missing there, and the times of the "
                "other side hold what it costs."
            )
    return found


def _exit_codes(before: Side, after: Side) -> str | None:
    codes = before.exit_code, after.exit_code
    if before.argv is None or codes == (0, 0):
        return None
    words = ["still ran" if code is None else f"ended with exit code {code}" for code in codes]
    return f"The command {words[0]} before and {words[1]} after: they may not have done the same."


def _scope(before: Side) -> str | None:
    if before.scope in ("command", "workload"):
        return None
    return "Nothing says that both windows saw the same work: counts are per second, and depend on it."


def _one_run(before: Side, after: Side) -> str | None:
    if before.runs > len(before.cells) or after.runs > len(after.cells):
        return None
    return (
        "One run a side: intervals hold for the spread of the events within a run. "
        "How much runs differ takes several."
    )


def _pages(before: Side) -> str | None:
    if before.schema == RUNS_SCHEMA:
        return "Per MiB and per page: of the memory that the workload touched."
    return (
        "Per MiB and per page: of what the read path mapped: fault-around's pages, and one for each "
        "read fault that it did not run for."
    )


def _tracepoints(before: Side) -> str | None:
    if before.ways.get("map_pages") != "tracepoint":
        return None
    return "By tracepoints, fault-around runs whose window held no page are not seen."


def _versions(before: Side, after: Side) -> str | None:
    if before.version == after.version:
        return None
    return f"Written by different versions: {before.version:.40} before, {after.version:.40} after."
