# SPDX-License-Identifier: GPL-2.0-only
"""Whether fault-around is skipped, mode by mode, and which known policy that is."""

from ...profile import Profile
from ...verdict import Verdict, followed, judge
from ..table import Section, left


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
