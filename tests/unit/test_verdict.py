# SPDX-License-Identifier: GPL-2.0-only
"""Each rule of the verdict, and beside it the case in which it must not speak."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from profiler.errors import UserError
from profiler.hooks.catalogue import Hook, Way
from profiler.hooks.planner import Plan, plan
from profiler.profile import KernelFacts
from profiler.slots import FAMILIES, MISSED, MODES, OUTCOMES
from profiler.snapshot import Labels, Slot, Snapshot
from profiler.verdict import ENOUGH, POLICIES, Answer, Verdict, compare, followed, judge, policy

REGISTERED = tuple(mode for mode in MODES if mode != "none")
FULL = plan(lambda hook, way: None)
BY_TRACEPOINT = plan(lambda hook, way: "no" if way.name in ("fentry", "kprobe") else None)

Figures = Mapping[tuple[str, str], int]
"""(mode, outcome) → read faults."""


def snapshot(
    figures: Figures,
    missed: int = 0,
    misses: Mapping[str, int | None] = MappingProxyType({}),
    pages: Mapping[str, int] = MappingProxyType({}),
) -> Snapshot:
    slots: dict[str, dict[Labels, Slot]] = {name: {} for name in FAMILIES}
    for (mode, outcome), count in figures.items():
        slots["read_fault"]["user", mode, "shmem", outcome] = Slot(count=count)
    for mode, mapped in pages.items():
        slots["fault_around_run"][mode, "shmem"] = Slot(count=1, sum=mapped, max=mapped)
    if missed:
        slots["missed"][MISSED[0],] = Slot(count=missed)
    return Snapshot(1, 1, MappingProxyType(slots), (), MappingProxyType(dict(misses)))


def kernel(fault_around_bytes: int | None = 65536) -> KernelFacts:
    return KernelFacts("6.1.0", "x86_64", fault_around_bytes, 1 << 37)


def verdict(
    seen: Snapshot, mode: str = "wp", chosen: Plan = FULL, facts: KernelFacts | None = None
) -> Verdict:
    verdicts = judge(seen, chosen, facts or kernel())
    assert tuple(v.mode for v in verdicts) == MODES
    return next(v for v in verdicts if v.mode == mode)


CONTROL = {("none", "ran"): 31}
SKIPPED = {**CONTROL, ("wp", "skipped"): 509}


def test_skipped() -> None:
    found = verdict(snapshot(SKIPPED))
    assert (found.answer, found.ran, found.not_run) == ("skipped", 0, 509)
    assert "509" in found.reason
    assert "31" in found.reason


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_which_outcomes_count_as_skipped(outcome: str) -> None:
    found = verdict(snapshot({**CONTROL, ("wp", outcome): 509}))
    wanted: dict[str, Answer] = {
        "ran": "ran",
        "returned_early": "skipped",
        "not_entered": "skipped",
        "skipped": "skipped",
    }
    # A fault without ->map_pages, or one of which nothing is known, is no evidence.
    assert found.answer == wanted.get(outcome, "not exercised")
    if outcome in ("undetermined", "not_applicable"):
        assert (found.ran, found.not_run) == (0, 0)


def test_ways_of_not_running_are_added() -> None:
    third = ENOUGH // 3
    figures = {("wp", "returned_early"): third, ("wp", "not_entered"): third, ("wp", "skipped"): third}
    assert verdict(snapshot({**CONTROL, **figures})).answer == "not exercised"
    figures["wp", "skipped"] = ENOUGH - 2 * third
    assert verdict(snapshot({**CONTROL, **figures})).answer == "skipped"


def test_without_a_positive_control_nothing_was_skipped() -> None:
    found = verdict(snapshot({("wp", "skipped"): 509}))
    assert found.answer == "not exercised"
    assert "control" in found.reason
    assert found.not_run == 509


@pytest.mark.parametrize("mode", REGISTERED)
def test_a_run_in_a_registered_region_is_no_positive_control(mode: str) -> None:
    other = "wp" if mode != "wp" else "minor"
    found = verdict(snapshot({(mode, "ran"): 31, (other, "skipped"): 509}), other)
    assert found.answer == "not exercised"


def test_unregistered_regions_need_no_control() -> None:
    """Else nothing could ever be said of a kernel that faults around nowhere."""
    assert verdict(snapshot({("none", "skipped"): 509}), "none").answer == "skipped"
    assert verdict(snapshot(CONTROL), "none").answer == "ran"


@pytest.mark.parametrize("size", [4096, 0, 8191])
def test_fault_around_of_one_page_exercises_nothing(size: int) -> None:
    for mode in MODES:
        found = verdict(snapshot({**SKIPPED, ("missing", "ran"): 1}), mode, facts=kernel(size))
        assert found.answer == "not exercised"
        assert f"fault_around_bytes is {size}" in found.reason


@pytest.mark.parametrize("size", [8192, 65536, None])
def test_fault_around_of_two_pages_or_of_a_size_unknown(size: int | None) -> None:
    assert verdict(snapshot(SKIPPED), facts=kernel(size)).answer == "skipped"


def test_missed_events_make_every_answer_impossible() -> None:
    for mode in ("none", "wp"):
        found = verdict(snapshot(SKIPPED, missed=1), mode)
        assert found.answer == "not exercised"
        assert "1 events were missed" in found.reason


def test_an_ioctl_whose_return_was_lost_is_no_matter() -> None:
    seen = snapshot(SKIPPED)
    slots = dict(seen.slots) | {"missed": MappingProxyType({("ioctl_return_lost",): Slot(count=5)})}
    lost = Snapshot(seen.monotonic_ns, seen.duration_ns, MappingProxyType(slots))
    assert [verdict(lost, mode) for mode in MODES] == [verdict(seen, mode) for mode in MODES]


def test_runs_that_the_kernel_left_out_are_missed_too() -> None:
    found = verdict(snapshot(SKIPPED, missed=2, misses={"a": 3, "b": None}))
    assert found.answer == "not exercised"
    assert "5 events" in found.reason
    assert verdict(snapshot(SKIPPED, misses={"a": 0, "b": None})).answer == "skipped"


@pytest.mark.parametrize("name", ["map_pages", "read_fault"])
def test_an_absent_hook_is_named_with_its_reason(name: str) -> None:
    def refuse(hook: Hook, way: Way) -> str | None:
        return "the moon is full" if hook.name == name else None

    found = verdict(snapshot(SKIPPED), chosen=plan(refuse))
    assert found.answer == "not exercised"
    assert found.reason.startswith(f"the hook {name} is absent: the moon is full")


def test_a_hook_that_the_verdict_does_not_need() -> None:
    chosen = plan(lambda hook, way: "no" if hook.name in ("swap_entry", "fault_around_entered") else None)
    assert verdict(snapshot(SKIPPED), chosen=chosen).answer == "skipped"
    assert verdict(snapshot(SKIPPED), chosen=BY_TRACEPOINT).answer == "skipped"


def test_too_few_faults() -> None:
    found = verdict(snapshot({**CONTROL, ("wp", "skipped"): ENOUGH - 1}))
    assert found.answer == "not exercised"
    assert f"only {ENOUGH - 1} read faults, {ENOUGH} are needed" == found.reason
    assert verdict(snapshot({**CONTROL, ("wp", "skipped"): ENOUGH})).answer == "skipped"


def test_no_fault_at_all() -> None:
    found = verdict(snapshot(CONTROL))
    assert (found.answer, found.reason) == ("not exercised", "no read fault in this mode")


def test_one_run_wins_over_any_number_of_skips() -> None:
    found = verdict(snapshot({**SKIPPED, ("wp", "ran"): 1}))
    assert (found.answer, found.ran, found.not_run) == ("ran", 1, 509)
    assert "1 of 510" in found.reason


def test_a_run_needs_neither_control_nor_number() -> None:
    assert verdict(snapshot({("wp", "ran"): 1})).answer == "ran"


def test_pages_that_fault_around_mapped() -> None:
    seen = snapshot({("wp", "ran"): 1}, pages={"wp": 15, "none": 100})
    assert verdict(seen).mapped_pages == 15
    assert verdict(seen, "none").mapped_pages == 100
    assert verdict(seen, "minor").mapped_pages == 0
    assert verdict(seen, chosen=BY_TRACEPOINT).mapped_pages is None


def answers(**given: Answer) -> tuple[Verdict, ...]:
    """Verdicts by mode (``_`` for ``+``), the others not exercised."""
    named = {mode.replace("_", "+"): answer for mode, answer in given.items()}
    return tuple(Verdict(mode, named.get(mode, "not exercised"), "", 0, 0, None) for mode in MODES)


def as_policy(name: str) -> tuple[Verdict, ...]:
    return tuple(Verdict(mode, POLICIES[name].get(mode, "ran"), "", 0, 0, None) for mode in MODES)


ALL = set(REGISTERED)


def test_the_policies() -> None:
    assert all(set(wanted) == ALL for wanted in POLICIES.values())
    assert {mode for mode in ALL if POLICIES["mainline"][mode] == "ran"} == {"missing"}
    assert set(POLICIES["seed"].values()) == {"skipped"}
    assert set(POLICIES["ungated"].values()) == {"ran"}


@pytest.mark.parametrize("kernels", POLICIES)
@pytest.mark.parametrize("asked", POLICIES)
def test_a_kernel_follows_its_own_policy_and_violates_the_others(kernels: str, asked: str) -> None:
    wanted = "follows" if kernels == asked else "violates"
    assert compare(as_policy(kernels), policy(asked), ALL) == wanted


def test_one_answer_against_the_policy_decides() -> None:
    assert compare(answers(wp="ran"), policy("mainline"), ALL) == "violates"


def test_without_an_answer_against_it_every_mode_must_have_been_exercised() -> None:
    verdicts = answers(missing="ran", wp="skipped")
    assert compare(verdicts, policy("mainline"), ALL) == "cannot tell"
    assert compare(verdicts, policy("mainline"), {"missing", "wp"}) == "follows"
    assert compare(answers(), policy("mainline"), ALL) == "cannot tell"


def test_a_policy_over_no_mode_is_not_followed() -> None:
    assert compare(as_policy("mainline"), policy("mainline"), set()) == "cannot tell"
    assert compare(as_policy("mainline"), policy("wp=skipped"), {"missing"}) == "cannot tell"


def test_modes_that_the_kernel_lacks_are_not_asked() -> None:
    verdicts = answers(missing="ran", wp="ran")
    assert compare(verdicts, policy("mainline"), {"missing"}) == "follows"


def test_unregistered_regions_are_no_matter_of_policy() -> None:
    verdicts = answers(none="skipped", missing="skipped")
    assert compare(verdicts, policy("missing=skipped"), {"none", "missing"}) == "follows"


def test_a_custom_policy() -> None:
    assert policy("missing=ran,wp+minor=skipped") == {"missing": "ran", "wp+minor": "skipped"}
    assert compare(answers(missing="ran"), policy("missing=ran"), ALL) == "follows"
    assert compare(answers(missing="skipped"), policy("missing=ran"), ALL) == "violates"


@pytest.mark.parametrize(
    "text",
    ["", "none", "Seed", "missing", "missing=", "missing=maybe", "none=ran", "missing=ran,", "nonesuch=ran"],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(UserError, match="is no policy") as caught:
        policy(text)
    assert repr(text) in str(caught.value)
    assert all(name in str(caught.value) for name in POLICIES)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_that_a_kernel_follows(name: str) -> None:
    found = followed(as_policy(name))
    assert found.name == name
    assert found.modes == REGISTERED
    assert repr(name) in found.sentence()


def test_a_kernel_of_its_own_kind() -> None:
    found = followed(answers(missing="skipped", wp="ran"))
    assert (found.name, found.fits) == (None, ())
    assert "no known policy" in found.sentence()


def test_modes_that_policies_agree_over_tell_nothing() -> None:
    found = followed(answers(wp="skipped"))
    assert found.name is None
    assert set(found.fits) == {"seed", "mainline"}
    assert "cannot tell" in found.sentence()


def test_a_kernel_without_minor_mode_follows_over_the_rest() -> None:
    found = followed(answers(missing="ran", wp="skipped", missing_wp="skipped"))
    assert found.name == "mainline"
    assert found.modes == ("missing", "wp", "missing+wp")


def test_nothing_exercised_follows_nothing() -> None:
    found = followed(answers(none="ran"))
    assert (found.name, found.modes) == (None, ())
    assert "cannot tell" in found.sentence()
