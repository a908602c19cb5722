# SPDX-License-Identifier: GPL-2.0-only
"""Moments of a service, made from the sample profiles."""

from profiler.hooks.planner import Plan
from profiler.profile import Profile
from profiler.service.exposition import Exposition, Own, Wanted, choose
from profiler.service.health import Health, HookHealth
from profiler.service.live import Moment, Runs
from profiler.slots import MODES

UNIX_OFFSET = 1_800_000_000_000_000_000
RUNS: Runs = {"raw_page_fault_user": (6113, 2_001_000), "raw_sched_switch": (40_009, 3_000_007)}
TEXT = ""
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def moment(profile: Profile, policy: str | None = "mainline", runs: Runs | None = RUNS) -> Moment:
    """The moment at which ``profile`` was taken."""
    return Moment(
        profile.total,
        profile.total,
        profile.plan,
        profile.kernel,
        profile.started_at,
        profile.attach_ns,
        UNIX_OFFSET,
        runs,
        policy,
        frozenset(MODES) - {"none"},
    )


def health(plan: Plan) -> Health:
    """Every hook as well as it can be told."""
    return Health(
        True, None, tuple(HookHealth(h, None if h.way == "none" else True, h.reason) for h in plan.hooks)
    )


def scrape(of: Moment, accept: str = TEXT, exclude: tuple[str, ...] = ("process",)) -> str:
    """The whole answer to a scrape."""
    own = Own(health(of.plan), 3, {"info": 11, "error": 1})
    exposition = Exposition(lambda: of, lambda: own)
    body, _ = exposition.render(Wanted(accept, gzip=False, collectors=choose([], list(exclude))))
    return body.decode()
