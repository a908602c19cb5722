# SPDX-License-Identifier: GPL-2.0-only
"""Series of swap entries: those that can occur from the start, and any other once it did."""

from dataclasses import replace

from prometheus_client import Metric

from profiler.profile import Profile
from profiler.service.metrics.swap_entry import _POSSIBLE, swap_entries
from profiler.slots import FAMILIES, SWAP_KINDS, SWAP_RESULTS, UFFD_WP
from profiler.snapshot import Labels, Slot
from tests.unit import samples
from tests.unit.moments import moment

FAULT = "uffd_swap_entry_fault_duration_seconds"
ALL = list(FAMILIES["swap_fault"].labels())


def families(profile: Profile) -> dict[str, Metric]:
    return {family.name: family for family in swap_entries(moment(profile))}


def shown(faults: dict[Labels, Slot], doubts: tuple[str, ...] = ()) -> set[Labels]:
    kernel = replace(samples.by_fentry().kernel, pte_doubts=doubts)
    profile = samples.profile(samples.fentry_plan(), samples.snapshot({"swap_fault": faults}), kernel=kernel)
    found = families(profile)[FAULT].samples
    return {(s.labels["kind"], s.labels["uffd_wp"], s.labels["result"]) for s in found}


def test_every_kind_says_what_is_possible() -> None:
    assert tuple(_POSSIBLE) == SWAP_KINDS
    for protections, results in _POSSIBLE.values():
        assert set(protections) <= set(UFFD_WP)
        assert set(results) <= set(SWAP_RESULTS)


def test_what_can_occur_is_there_from_the_start() -> None:
    from_the_start = shown({})
    assert len(from_the_start) == 36
    assert {kind for kind, _, _ in from_the_start} == set(SWAP_KINDS) - {"special"}
    assert set(samples.fentry_slots()["swap_fault"]) <= from_the_start


def test_special_is_there_where_kinds_are_in_doubt() -> None:
    more = shown({}, ("Not told apart: hwpoison or migration_read.",)) - shown({})
    assert more == {labels for labels in ALL if labels[0] == "special"}


def test_what_was_thought_impossible_is_shown_once_it_occurs() -> None:
    from_the_start = shown({})
    for labels in set(ALL) - from_the_start:
        assert shown({labels: samples.slot("swap_fault", [900])}) == from_the_start | {labels}


def test_exact_figures() -> None:
    found = [s for family in families(samples.by_fentry()).values() for s in family.samples]

    def value(name: str, **labels: str) -> float:
        (one,) = (s.value for s in found if s.name == name and s.labels == labels)
        return float(one)

    major = {"kind": "swap_slot", "uffd_wp": "no", "result": "major"}
    assert value(f"{FAULT}_count", **major) == 211
    assert value(f"{FAULT}_count", **major | {"result": "minor"}) == 97
    assert value("uffd_shmem_swapin_duration_seconds_count", result="major") == 31
    assert value("uffd_shmem_swapin_duration_seconds_count", result="error") == 0
    for by, faults, pages in (("swap_entry", 270, 683), ("shmem", 31, 224)):
        assert value("uffd_swap_read_faults_total", by=by) == faults
        assert value("uffd_swap_read_pages_total", by=by) == pages


def test_a_hook_that_is_absent_takes_its_own_figures_along_and_no_others() -> None:
    def names(*missing: str) -> dict[str, set[str]]:
        profile = replace(samples.by_fentry(), plan=samples.fentry_plan(frozenset(missing)))
        found = families(profile)
        return {
            name: {v for s in family.samples for k, v in s.labels.items() if k in ("by", "result")}
            for name, family in found.items()
        }

    shmem, read = "uffd_shmem_swapin_duration_seconds", "uffd_swap_read_pages"
    assert set(names()) == {FAULT, shmem, read, "uffd_swap_read_faults"}
    assert FAULT not in names("do_swap_page")
    assert names("do_swap_page")[read] == {"shmem"}
    without = names("shmem_swapin_folio", "shmem_swapin_page")
    assert shmem not in without
    assert without[read] == {"swap_entry"}
    without = names("swap_read_folio", "swap_readpage")
    assert set(without) == {FAULT, shmem}
    assert without[shmem] == {"minor", "error"}
