# SPDX-License-Identifier: GPL-2.0-only
"""What a read fault costs, and what fault-around changes of it."""

from ..panels import COUNTS_PER_SECOND, NUMBER, SHARE, Panel, Target, heat, lines, means, quantiles
from ..promql import MODE, rate, summed

TITLE = "Read path"

READ_FAULT = "uffd_read_fault_duration_seconds"
PAGE_FAULT = "uffd_page_fault_duration_seconds"
_ABSENT = "Absent where no way can tell read faults (tracepoints without mm_filemap_map_pages)."
_OWN = "The fault's own time, without the wait for userspace."


def panels() -> tuple[Panel, ...]:
    """How many, how long, what fault-around did; at last all faults, on any memory."""
    return (
        lines(
            "Read faults by uffd mode",
            f"Read faults on shmem and files that completed, as exceptions. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("uffd_mode", rate(f"{READ_FAULT}_count", MODE)), "{{uffd_mode}}"),
            width=12,
            stacked=True,
        ),
        lines(
            "Read faults by what fault-around did",
            "ran: ->map_pages was called. skipped: it was not (returned_early and not_entered, where the way "
            f"can tell them apart). not_applicable: this memory has none. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("fault_around", rate(f"{READ_FAULT}_count", MODE)), "{{fault_around}}"),
            width=12,
            stacked=True,
        ),
        heat(
            "Own time of read faults",
            f"{_OWN} Buckets from 125 ns, doubled up to 16.8 s. {_ABSENT}",
            READ_FAULT,
            MODE,
            width=12,
        ),
        quantiles(
            "Own time of read faults by uffd mode",
            f"{_OWN} Interpolated within a bucket; a gap means that there was no fault. {_ABSENT}",
            READ_FAULT,
            "uffd_mode",
            MODE,
            width=12,
        ),
        means(
            "Mean own time by what fault-around did",
            f"What a read fault costs with fault-around and without. {_OWN} A gap means no fault. {_ABSENT}",
            READ_FAULT,
            "fault_around",
            MODE,
        ),
        lines(
            "Share of read faults that faulted around",
            "Of the read faults of a mode those that called ->map_pages: 100 % where it runs, 0 % where the "
            f"kernel skips it. A gap means no fault. {_ABSENT}",
            SHARE,
            Target(_share(), "{{uffd_mode}}"),
        ),
        lines(
            "Threads in read faults that wait for userspace",
            "Seconds spent waiting per second, which is the number of threads waiting on average. It is not "
            f"in the own time. {_ABSENT}",
            NUMBER,
            Target(
                summed("uffd_mode", rate("uffd_read_fault_userspace_wait_seconds_total", MODE)),
                "{{uffd_mode}}",
            ),
        ),
        lines(
            "Fault-around runs",
            f"Calls of ->map_pages. By tracepoints those whose window held a page. {_ABSENT}",
            COUNTS_PER_SECOND,
            Target(summed("uffd_mode", rate("uffd_fault_around_runs_total", MODE)), "{{uffd_mode}}"),
        ),
        lines(
            "Pages mapped by a fault-around run",
            "Pages, on average: the read faults that one run may spare. A gap means no run. Absent by "
            "tracepoints.",
            NUMBER,
            Target(_per_run("uffd_fault_around_mapped_pages_total"), "{{uffd_mode}}"),
        ),
        lines(
            "Share of fault-around runs that mapped nothing",
            "Runs in vain: what they cost is all that they do. A gap means no run. Absent by tracepoints.",
            SHARE,
            Target(_per_run("uffd_fault_around_empty_runs_total"), "{{uffd_mode}}"),
        ),
        lines(
            "Read faults raised by the kernel itself",
            "By get_user_pages or populate, hence without an exception, and in no other panel of this row. "
            "Absent by tracepoints.",
            COUNTS_PER_SECOND,
            Target(summed("uffd_mode", rate("uffd_gup_read_faults_total", MODE)), "{{uffd_mode}}"),
            width=12,
        ),
        lines(
            "All page faults by origin",
            "Faults that completed, on any memory. gup: raised by get_user_pages; absent by tracepoints.",
            COUNTS_PER_SECOND,
            Target(summed("origin", rate(f"{PAGE_FAULT}_count")), "{{origin}}"),
            width=12,
            stacked=True,
        ),
        heat(
            "Own time of all page faults",
            "Of all origins, on any memory, without the wait for userspace: the ground that the read path "
            "stands out against.",
            PAGE_FAULT,
            width=12,
        ),
        quantiles(
            "Own time of all page faults by origin",
            f"{_OWN} Interpolated within a bucket; a gap means that there was no fault.",
            PAGE_FAULT,
            "origin",
            width=12,
        ),
    )


def _share() -> str:
    ran = summed("uffd_mode", rate(f"{READ_FAULT}_count", MODE, 'fault_around="ran"'))
    return f"{ran} / {summed('uffd_mode', rate(f'{READ_FAULT}_count', MODE))}"


def _per_run(counter: str) -> str:
    runs = summed("uffd_mode", rate("uffd_fault_around_runs_total", MODE))
    return f"{summed('uffd_mode', rate(counter, MODE))} / {runs}"
