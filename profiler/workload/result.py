# SPDX-License-Identifier: GPL-2.0-only
"""What the workload counted: the JSON it prints, as frozen values.

Counts are of the touches alone, from "ready" to "done"; what was done to set the memory up is apart.
A *touch* is one access to one page by one thread. A *page* is 4096 bytes, or one huge page for hugetlb.
"""

import dataclasses
import json
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

VERSION = 2


@dataclass(frozen=True, slots=True)
class ByReason:
    """Userfaults by the reason the kernel gives."""

    missing: int
    wp: int
    minor: int

    @property
    def total(self) -> int:
        """Of all reasons."""
        return self.missing + self.wp + self.minor


@dataclass(frozen=True, slots=True)
class Messages(ByReason):
    """Messages read from the userfaultfd; ``other`` are not page faults."""

    other: int


@dataclass(frozen=True, slots=True)
class Thread:
    """One touching thread; the units are those of :class:`Result`."""

    touches: int
    expected_faults: int
    faults_minor: int
    faults_major: int


@dataclass(frozen=True, slots=True)
class Result:
    """One run of the workload.

    ``expected_*`` is the oracle: told before each touch from the pagemap entry of its page.
    """

    version: int
    """Of this layout."""
    options: dict[str, str | int | bool | None]
    """What it ran with, defaults filled in; the names of :class:`profiler.workload.run.Options`."""
    kernel: str
    """Release, as ``uname -r``."""
    pid: int
    """Process that ran the handlers."""
    touch_pid: int
    """Process that touched: another one with ``fork``."""
    page_size: int
    """Bytes of one counted page."""
    fault_around_bytes: int | None
    """The kernel's setting; None where debugfs cannot be read."""
    user_mode_only: bool
    """The descriptor refuses faults that the kernel takes: plain userfaultfd was not permitted."""
    features: int
    """UFFD_FEATURE_* bits this kernel offers; 0 for mode none."""
    gup_method: str | None
    """``populate``, ``process-vm``; None without ``gup``."""
    touches: int
    """Accesses made."""
    expected_faults: int
    """Page faults that must complete: ``faults`` equals it, if ``expected_exact``."""
    expected_faults_min: int
    """The least possible; less than ``expected_faults`` where threads race or kernels differ."""
    expected_exact: bool
    """Whether ``expected_faults`` and ``expected_exceptions`` are one number on every kernel and schedule."""
    expected_exceptions: int
    """Page-fault exceptions: completed faults, refused ones, one more for each signal; GUP takes none."""
    expected_userfaults: ByReason
    """Faults that must wait for userspace, by (thread, page): however often one is entered, it is one."""
    expected_refused: int
    """Touches that must end in SIGBUS, or EFAULT when the kernel touches."""
    minor_bypassed: bool
    """This kernel faults around in MINOR regions: reads of cached pages asked nobody, and were not to."""
    faults_minor: int
    """Completed without I/O: minflt of the touching threads, touch loop alone."""
    faults_major: int
    """majflt of the same: I/O, or a retried fault (kernels to 6.1, and kernel-mode faults on all)."""
    fault_windows: int
    """Touches that found their page not mapped: what fault-around leaves to fault."""
    messages: Messages
    """Read by the handlers: userfaults, plus one for each signal and each re-wait."""
    ioctls: dict[str, dict[str, int]]
    """By name (API, REGISTER, COPY, ...): ``ok`` and each errno that occurred; API is called twice."""
    sigbus: int
    """SIGBUS caught."""
    efault: int
    """Touches by the kernel that ended in EFAULT."""
    signals: int
    """Signals delivered to waiting threads."""
    rewaits: int
    """Messages that came again because an UFFDIO_WAKE filled nothing."""
    max_waiting: int
    """Most threads seen waiting at once, sampled in /proc/self/fdinfo."""
    present_before: int
    """Pages of the region mapped before the first touch."""
    present_after_first_touch: int | None
    """Mapped after the first touch, when no other was made; None where all threads must wait at once."""
    present_after: int
    """Mapped after the last touch."""
    cached_before: int
    """Pages of the region in the page cache before the first touch."""
    cached_after: int
    """The same after the last touch."""
    swapped_before: int
    """Anonymous pages in swap before the first touch."""
    setup_faults: int
    """Faults taken before "ready" by ``populate`` and ``swap``."""
    noise_faults: int
    """Faults the noise process took in all its life."""
    touch_ns_total: int
    """Nanoseconds inside the touches, all threads together; two clock readings are in each."""
    threads: tuple[Thread, ...]
    """One for each touching thread."""

    @property
    def faults(self) -> int:
        """Completed page faults of the touches."""
        return self.faults_minor + self.faults_major

    @property
    def agrees(self) -> bool:
        """The program's own three counts agree: oracle, rusage, and what was refused."""
        refused = self.sigbus + self.efault == self.expected_refused
        return refused and self.expected_faults_min <= self.faults <= self.expected_faults


def parse(text: str) -> Result:
    """The value of one printed line.

    :raises ValueError: not this layout; the message names the field.
    """
    value = json.loads(text)
    if isinstance(value, dict) and value.get("version") != VERSION:
        raise ValueError(
            f"workload JSON of version {value.get('version')}, not {VERSION}; run `make install`"
        )
    result: Result = _build(Result, value, "result")
    return result


def _build(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind``, every type checked."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, dict) or value.keys() != hints.keys():
            unlike = sorted(value.keys() ^ hints.keys()) if isinstance(value, dict) else value
            raise ValueError(f"workload JSON: {where} has other fields than expected: {unlike}")
        return kind(**{name: _build(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})
    origin = get_origin(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_build(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _build(get_args(kind)[1], item, f"{where}.{name}") for name, item in value.items()}
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(value) in kinds or (value is None and NoneType in kinds):
        return value
    raise ValueError(f"workload JSON: {where} is {value!r}, not {kind}")
