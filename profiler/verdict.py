# SPDX-License-Identifier: GPL-2.0-only
"""The verdict: does this kernel skip fault-around in userfaultfd-registered regions, mode by mode?

``skipped`` and ``ran`` are claims with evidence; everything else is ``not exercised``, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .errors import UserError
from .hooks.planner import Plan
from .profile import KernelFacts
from .slots import MODES
from .snapshot import Snapshot

Answer = Literal["ran", "skipped", "not exercised"]

ENOUGH = 16
"""Read faults that a mode needs before their skipping fault-around says something: one default window."""

PAGE_SIZE = 4096
_NOT_RUN = ("returned_early", "not_entered", "skipped")


@dataclass(frozen=True)
class Verdict:
    """Answer for one uffd mode.

    ``ran`` and ``not_run``: read faults that called ->map_pages, and those that did not.
    ``mapped_pages``: pages that fault-around mapped in the mode; ``None`` when no hook tells.
    """

    mode: str
    answer: Answer
    reason: str
    ran: int
    not_run: int
    mapped_pages: int | None


def judge(snapshot: Snapshot, plan: Plan, kernel: KernelFacts) -> tuple[Verdict, ...]:
    """One verdict per uffd mode, unregistered regions (``none``: the positive control) first."""
    doubt = _doubt(snapshot, plan, kernel)
    control = snapshot.total("read_fault", uffd_mode="none", fault_around="ran").count
    return tuple(_judge(snapshot, plan, mode, doubt, control) for mode in MODES)


def _doubt(snapshot: Snapshot, plan: Plan, kernel: KernelFacts) -> str | None:
    """What makes every answer impossible, if anything does."""
    for name in ("map_pages", "read_fault"):
        hook = plan.hook(name)
        if hook.way == "none":
            return f"the hook {name} is absent: {hook.reason}"
    size = kernel.fault_around_bytes
    if size is not None and size < 2 * PAGE_SIZE:
        return f"fault_around_bytes is {size}: this kernel faults around nothing, anywhere"
    if snapshot.lost:
        return f"{snapshot.lost} events were missed"
    return None


def _judge(snapshot: Snapshot, plan: Plan, mode: str, doubt: str | None, control: int) -> Verdict:
    ran = snapshot.total("read_fault", uffd_mode=mode, fault_around="ran").count
    not_run = snapshot.total("read_fault", uffd_mode=mode, fault_around=_NOT_RUN).count
    pages: int | None = None
    if plan.way("pages_mapped") != "none":
        pages = snapshot.total("fault_around_run", uffd_mode=mode).sum
    answer, reason = _answer(mode, ran, not_run, doubt, control)
    return Verdict(mode, answer, reason, ran, not_run, pages)


def _answer(mode: str, ran: int, not_run: int, doubt: str | None, control: int) -> tuple[Answer, str]:
    if doubt:
        return "not exercised", doubt
    if ran:
        # A region may be registered, or become so, while a fault is under way; one run is proof enough.
        return "ran", f"->map_pages called in {ran} of {ran + not_run} read faults"
    if not not_run:
        return "not exercised", "no read fault in this mode"
    if mode != "none" and not control:
        return "not exercised", "no positive control: fault-around was not seen to run anywhere"
    if not_run < ENOUGH:
        return "not exercised", f"only {not_run} read faults, {ENOUGH} are needed"
    return "skipped", f"->map_pages called in none of {not_run} read faults; control: {control}"


POLICIES: Mapping[str, Mapping[str, Answer]] = {
    # Every registered region skips: "mm: Don't fault around userfaultfd-registered regions on reads" (v2).
    "seed": {mode: "skipped" for mode in MODES if mode != "none"},
    # uffd_disable_fault_around() in include/linux/userfaultfd_k.h: WP or MINOR.
    "mainline": {mode: "ran" if mode == "missing" else "skipped" for mode in MODES if mode != "none"},
    "ungated": {mode: "ran" for mode in MODES if mode != "none"},
}


def policy(text: str) -> Mapping[str, Answer]:
    """A policy by name, or written out: ``missing=ran,wp=skipped``.

    :raises UserError: when it is neither.
    """
    if text in POLICIES:
        return POLICIES[text]
    wanted: dict[str, Answer] = {}
    for part in text.split(","):
        mode, _, answer = part.partition("=")
        if mode not in MODES or mode == "none" or answer not in ("ran", "skipped"):
            raise UserError(
                f"{text!r} is no policy: give {', '.join(POLICIES)}, or modes and answers such as "
                "missing=ran,wp=skipped."
            )
        wanted[mode] = "ran" if answer == "ran" else "skipped"
    return wanted


Compliance = Literal["follows", "violates", "cannot tell"]


def compare(verdicts: tuple[Verdict, ...], wanted: Mapping[str, Answer], modes: set[str]) -> Compliance:
    """Whether the verdicts follow a policy, over the modes that the kernel supports.

    One answer against the policy decides; without one, every mode must have been exercised.
    """
    asked = [v for v in verdicts if v.mode in wanted and v.mode in modes]
    answered = [v for v in asked if v.answer != "not exercised"]
    if any(v.answer != wanted[v.mode] for v in answered):
        return "violates"
    if not asked or len(answered) < len(asked):
        return "cannot tell"
    return "follows"


@dataclass(frozen=True)
class Followed:
    """``modes``: registered modes that were exercised. ``fits``: known policies that agree with all."""

    modes: tuple[str, ...]
    fits: tuple[str, ...]

    @property
    def name(self) -> str | None:
        """The one policy that fits; ``None`` when none does, or several."""
        return self.fits[0] if len(self.fits) == 1 else None

    def sentence(self) -> str:
        """In words."""
        if not self.modes:
            return "cannot tell which policy this kernel follows: no registered region was exercised"
        over = ", ".join(self.modes)
        if self.name:
            return f"this kernel follows {self.name!r} (over the modes {over})"
        if not self.fits:
            return f"this kernel follows no known policy (over the modes {over})"
        names = " and ".join(repr(name) for name in self.fits)
        return f"cannot tell which policy this kernel follows: {names} agree over the modes {over}"


def followed(verdicts: tuple[Verdict, ...]) -> Followed:
    """The known policies that fit the modes that were exercised."""
    modes = tuple(v.mode for v in verdicts if v.mode != "none" and v.answer != "not exercised")
    fits = (name for name, wanted in POLICIES.items() if compare(verdicts, wanted, set(modes)) == "follows")
    return Followed(modes, tuple(fits))
