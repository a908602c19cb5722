# SPDX-License-Identifier: GPL-2.0-only
"""Whether fault-around is skipped, mode by mode, and which known policy that is."""

from dataclasses import dataclass

from ...profile import Profile
from ...verdict import POLICIES, Verdict, compare, judge
from ..table import Section, left


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


def verdicts_of(profile: Profile, all_modes: bool = True) -> tuple[Verdict, ...]:
    """Verdicts of every mode, or only of ``none`` and those in which a fault was seen."""
    verdicts = judge(profile.total, profile.plan, profile.kernel)
    return tuple(
        v
        for v in verdicts
        if all_modes or v.mode == "none" or profile.total.total("read_fault", uffd_mode=v.mode).count
    )


def judged(profile: Profile, all_modes: bool) -> Section:
    """The verdict table and the policy line."""
    rows = tuple((v.mode, v.answer, v.reason) for v in verdicts_of(profile, all_modes))
    policy = "Policy: " + followed(verdicts_of(profile)).sentence() + "."
    return Section(
        "verdict",
        "Verdict",
        "is fault-around skipped in userfaultfd-registered regions?",
        (left("uffd mode"), left("fault-around"), left("because")),
        rows,
        notes=(policy,),
    )
