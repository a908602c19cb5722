# SPDX-License-Identifier: GPL-2.0-only
"""What is compared: each figure as a numerator and a denominator of one run.

Read faults are those raised by exceptions (origin ``user`` and ``kernel``), on shmem and files; those raised
by the kernel itself (``gup``) are figures of their own. Times are their own time, the wait for userspace
apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..slots import FAMILIES, MODES, READ_BACKINGS
from ..snapshot import Labels, Slot
from .samples import Sample

PAGES_PER_MIB = 256
EXCEPTIONS = ("user", "kernel")
_SKIPPED = ("returned_early", "not_entered", "skipped")

Kind = Literal["count", "share", "mean", "sum", "bare sum"]
"""How a figure varies in one run: events; some of the events; the size per event; the size of all events, in
``bare sum`` without their histogram."""

Unit = Literal["events", "pages", "share", "time"]


@dataclass(frozen=True)
class Selection:
    """Which events. ``modes``: uffd modes of the region.

    ``whole``: it is everything that the run did, or all that its workload was made for. ``divisible``: its
    pages are known apart from those of other modes. ``labels``: a label set of a family (:mod:`.labelled`);
    empty: all of them.
    """

    modes: tuple[str, ...] = MODES
    whole: bool = True
    divisible: bool = True
    labels: Labels = ()


@dataclass(frozen=True)
class Measurement:
    """Of one run. ``slot``: where the numerator is its sum."""

    numerator: float
    denominator: float
    slot: Slot | None = None


@dataclass(frozen=True)
class Figure:
    """``title``: in words. ``needs``: keys of a profile's ``unavailable`` that must not be there.

    ``per_run``: the denominator is the exposure, and the figure of several workloads is the sum of theirs.
    ``family``: of its histogram. ``applies``: whether it means something for a selection.
    """

    name: str
    title: str
    unit: Unit
    kind: Kind
    needs: tuple[str, ...]
    measure: Callable[[Sample, Selection], Measurement]
    per_run: bool = False
    family: str = "read_fault"
    applies: Callable[[Selection], bool] = lambda selection: True

    def why_absent(self, sample: Sample, selection: Selection) -> str | None:
        """Why a run does not have it; ``None`` if it does."""
        if self.measure is _unwatched and sample.unwatched_ns is None:
            return "not measured"
        mapped = self.applies is _divisible and sample.touched_pages is None
        axes = (axis for axis, _ in FAMILIES[self.family].axes)
        labels = (
            f"{self.family}{{{axis}={value}}}" for axis, value in zip(axes, selection.labels, strict=False)
        )
        return sample.why_absent((*self.needs, *(MAPPED if mapped else ()), *labels))


READS = ("read_fault",)
RUNS = ("fault_around_run",)
BEGUN = ("userfault_begun",)
MAPPED = (*RUNS, "fault_around_run.sum")


def _reads(sample: Sample, selection: Selection, **labels: str | tuple[str, ...]) -> Slot:
    return sample.total.total("read_fault", **({"origin": EXCEPTIONS, "uffd_mode": selection.modes} | labels))


def _runs(sample: Sample, selection: Selection) -> Slot:
    return sample.total.total("fault_around_run", uffd_mode=selection.modes)


def _pages(sample: Sample, selection: Selection) -> float:
    """Pages that the workload touched; else about how many the read path mapped.

    Those that fault-around mapped, and one for each read fault that it did not run for.
    """
    if sample.touched_pages is not None:
        return sample.touched_pages
    alone = sample.total.total(
        "read_fault", uffd_mode=selection.modes, fault_around=(*_SKIPPED, "undetermined", "not_applicable")
    )
    return _runs(sample, selection).sum + alone.count


def _read_faults(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(_reads(sample, selection).count, sample.exposure)


def _per_mib(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(_reads(sample, selection).count, _pages(sample, selection) / PAGES_PER_MIB)


def _fault_around_runs(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(_runs(sample, selection).count, sample.exposure)


def _pages_mapped(sample: Sample, selection: Selection) -> Measurement:
    slot = _runs(sample, selection)
    return Measurement(slot.sum, sample.exposure, slot)


def _empty_runs(sample: Sample, selection: Selection) -> Measurement:
    # The first bucket holds the runs of 0 pages: profiler.slots.page_boundaries().
    return Measurement(_runs(sample, selection).buckets[0], sample.exposure)


def _share(*outcomes: str) -> Callable[[Sample, Selection], Measurement]:
    def measure(sample: Sample, selection: Selection) -> Measurement:
        some = _reads(sample, selection, fault_around=outcomes)
        return Measurement(some.count, _reads(sample, selection).count)

    return measure


def _time_per_fault(sample: Sample, selection: Selection) -> Measurement:
    slot = _reads(sample, selection)
    return Measurement(slot.sum, slot.count, slot)


def _time_per_page(sample: Sample, selection: Selection) -> Measurement:
    slot = _reads(sample, selection)
    return Measurement(slot.sum, _pages(sample, selection), slot)


def _read_path_time(sample: Sample, selection: Selection) -> Measurement:
    slot = _reads(sample, selection)
    return Measurement(slot.sum, sample.exposure, slot)


def _wait(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(_reads(sample, selection).wait, sample.exposure)


def _userfaults(sample: Sample, selection: Selection) -> Measurement:
    begun = sample.total.total("userfault_begun", backing=READ_BACKINGS)
    return Measurement(begun.count, sample.exposure)


def _behind_monitor(sample: Sample, selection: Selection) -> Measurement:
    registered = tuple(mode for mode in selection.modes if mode != "none")
    slot = sample.total.total("fault_around_run", uffd_mode=registered)
    return Measurement(slot.sum, sample.exposure, slot)


def _unwatched(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(sample.unwatched_ns or 0, sample.exposure)


def _gup_faults(sample: Sample, selection: Selection) -> Measurement:
    return Measurement(_reads(sample, selection, origin="gup").count, sample.exposure)


def _gup_time(sample: Sample, selection: Selection) -> Measurement:
    slot = _reads(sample, selection, origin="gup")
    return Measurement(slot.sum, slot.count, slot)


def _whole(selection: Selection) -> bool:
    return selection.whole


def _divisible(selection: Selection) -> bool:
    """Of a figure that is divided by pages: those touched, or where nobody counted them, those mapped."""
    return selection.divisible


def _registered(selection: Selection) -> bool:
    return selection.modes != ("none",)


_BY_GUP = (*READS, "read_fault{origin=gup}")


UNWATCHED = "unwatched_ns"
"""The one figure that no probe has a part in, and that profiles without a workload have not."""

FIGURES = (
    Figure("read_faults", "read faults", "events", "count", READS, _read_faults, True),
    Figure("read_faults_per_mib", "read faults per MiB", "events", "count", READS, _per_mib,
    applies=_divisible), Figure("fault_around_runs", "fault-around runs", "events", "count", RUNS,
    _fault_around_runs, True), Figure("pages_mapped", "pages they mapped", "pages", "sum", MAPPED,
    _pages_mapped, True, RUNS[0]), Figure("empty_runs", "runs that mapped nothing", "events", "count",
    MAPPED, _empty_runs, True), Figure("ran_share", "share: fault-around ran", "share", "share", READS,
    _share("ran")), Figure("skipped_share", "share: skipped", "share", "share", READS, _share(*_SKIPPED)),
    Figure("ns_per_fault", "time per read fault", "time", "mean", READS, _time_per_fault),
    Figure("ns_per_page", "time per page", "time", "sum", READS, _time_per_page, applies=_divisible),
    Figure("read_path_ns", "time of all read faults", "time", "sum", READS, _read_path_time, True),
    Figure("wait_ns", "time waited for userspace", "time", "bare sum", READS, _wait, True),
    Figure("userfaults_begun", "userfaults begun", "events", "count", BEGUN, _userfaults, True,
    applies=_whole), Figure("mapped_behind_monitor", "mapped behind the monitor", "pages", "sum", MAPPED,
    _behind_monitor, True,
           RUNS[0], _registered),
    Figure(UNWATCHED, "time of touches, unwatched", "time", "bare sum", (), _unwatched, True, applies=_whole),
    Figure("gup_read_faults", "read faults by GUP", "events", "count", _BY_GUP, _gup_faults, True),
    Figure("ns_per_gup_fault", "time per fault by GUP", "time", "mean", _BY_GUP, _gup_time),
)  # fmt: skip
"""Of a workload and a uffd mode, in the order of every output."""
