# SPDX-License-Identifier: GPL-2.0-only
"""Each hook takes the best way that is not refused, and says why not a better one."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.hooks.catalogue import HOOKS, SYMBOLS, WAYS, Hook, Way, WayName
from profiler.hooks.planner import BY_TRACEPOINTS, Plan, plan
from profiler.hooks.request import Request

Refuse = Callable[[Hook, Way], str | None]
BESIDE = [hook.name for hook in HOOKS if hook.beside]


def refuse_nothing(hook: Hook, way: Way) -> str | None:
    return None


def refuse_ways(*names: WayName) -> Refuse:
    return lambda hook, way: f"no {way.name} here" if way.name in names else None


def refuse_symbols(*symbols: str) -> Refuse:
    return lambda hook, way: f"{way.symbol} is no symbol" if way.symbol in symbols else None


WAY_KEYS = [(hook.name, index) for hook in HOOKS for index in range(len(hook.ways))]
any_refusal = st.sets(st.sampled_from(WAY_KEYS)).map(
    lambda refused: lambda hook, way: "refused" if (hook.name, hook.ways.index(way)) in refused else None
)
any_best = st.sampled_from(WAYS)
any_asked = st.dictionaries(st.sampled_from(["resolve"]), st.booleans())


def test_the_catalogue_lists_the_ways_best_first() -> None:
    for hook in HOOKS:
        # Several symbols may serve one hook; by each, fentry comes ahead of kprobe, and tracepoints last.
        ranks = [(way.name == "tracepoint", WAYS.index(way.name)) for way in hook.ways]
        by_symbol: dict[str | None, list[tuple[bool, int]]] = {}
        for way, rank in zip(hook.ways, ranks, strict=True):
            by_symbol.setdefault(way.symbol, []).append(rank)
        assert all(found == sorted(found) for found in by_symbol.values())
        assert [last for last, _ in ranks] == sorted(last for last, _ in ranks)


def test_a_hook_stands_behind_the_one_that_it_suits() -> None:
    names = [hook.name for hook in HOOKS]
    assert len(names) == len(set(names))
    for hook in HOOKS:
        if hook.beside:
            assert names.index(hook.beside) < names.index(hook.name)


def test_every_program_has_one_name() -> None:
    by_program: dict[str, set[tuple[str, str]]] = {}
    for hook in HOOKS:
        for way in hook.ways:
            for attachment in way.attachments:
                by_program.setdefault(attachment.program, set()).add((attachment.kind, attachment.target))
    assert all(len(places) == 1 for places in by_program.values())


def test_symbols_are_all_that_ways_need() -> None:
    assert {"handle_mm_fault", "userfaultfd_wake_function", "alloc_set_pte"} <= SYMBOLS
    assert None not in SYMBOLS


def test_the_best_way_is_taken_when_nothing_is_refused() -> None:
    chosen = plan(refuse_nothing)
    assert [hook.name for hook in chosen.hooks] == [hook.name for hook in HOOKS]
    for hook, planned in zip(HOOKS, chosen.hooks, strict=True):
        best = hook.ways[0]
        assert (planned.way, planned.symbol, planned.attachments) == (
            best.name,
            best.symbol,
            best.attachments,
        )
        assert planned.refused == ()
        assert planned.reason == ""


@pytest.mark.parametrize("best", WAYS)
def test_best_way_leaves_the_better_ones_out(best: WayName) -> None:
    chosen = plan(refuse_nothing, best)
    left_out = WAYS[: WAYS.index(best)]
    for planned in chosen.hooks:
        assert planned.way not in left_out
        for way, why in planned.refused:
            assert (why == "left out by --best-way") is (way in left_out)
    fault = chosen.hook("fault")
    assert fault.way == best
    assert [way for way, _ in fault.refused] == list(left_out)


def test_a_way_left_out_is_not_even_asked_about() -> None:
    def refuse(hook: Hook, way: Way) -> str | None:
        assert way.name == "tracepoint"
        return None

    plan(refuse, "tracepoint")


def test_a_kernel_with_neither_fentry_nor_kprobes() -> None:
    chosen = plan(refuse_ways("fentry", "kprobe"))
    ways = {hook.name: hook.way for hook in chosen.hooks}
    assert ways == {
        "process": "tracepoint",
        "fault": "tracepoint",
        "map_pages": "tracepoint",
        "read_fault": "tracepoint",
        "fault_around_entered": "none",
        "pages_mapped": "none",
        "huge_page_mapped": "none",
        "userfault": "tracepoint",
        "swap_entry": "none",
        "shmem_swapin": "none",
        "swap_read": "none",
        "resolve": "none",
    }
    assert chosen.hook("pages_mapped").reason == BY_TRACEPOINTS
    # Not beside another: the kernel's own reasons, each once.
    assert chosen.hook("swap_entry").reason == "no fentry here; no kprobe here"
    assert chosen.hook("fault").refused == (("fentry", "no fentry here"), ("kprobe", "no kprobe here"))


COSTLY = [hook.name for hook in HOOKS if any(way.costs for way in hook.ways)]


def test_a_costly_way_is_taken_only_when_asked_for() -> None:
    assert COSTLY == ["resolve"]
    refuse = refuse_ways("fentry", "kprobe")
    unasked = plan(refuse).hook("resolve")
    assert unasked.way == "none"
    assert unasked.refused[-1] == (
        "tracepoint",
        "not asked for: by tracepoints it costs every system call of the machine",
    )
    assert plan(refuse, asked={"resolve": True}).way("resolve") == "tracepoint"


@pytest.mark.parametrize("best", WAYS)
def test_a_hook_asked_for_takes_the_best_way_allowed(best: WayName) -> None:
    assert plan(refuse_nothing, best, {"resolve": True}).way("resolve") == best
    assert plan(refuse_nothing, best).way("resolve") == ("none" if best == "tracepoint" else best)


@pytest.mark.parametrize("hook", [hook.name for hook in HOOKS if not hook.vital])
def test_a_hook_that_is_not_wanted_takes_no_way(hook: str) -> None:
    chosen = plan(refuse_nothing, asked={hook: False}).hook(hook)
    assert (chosen.way, chosen.reason) == ("none", "not asked for")


@pytest.mark.parametrize("resolve", [None, True, False])
def test_a_request_asks_for_what_it_names(resolve: bool | None) -> None:
    assert Request(resolve=resolve).asked == ({} if resolve is None else {"resolve": resolve})


@pytest.mark.parametrize("way", [way for hook in HOOKS for way in hook.ways if hook.name == "resolve"])
def test_no_ioctl_is_seen_to_begin_before_its_end_can_be_seen(way: Way) -> None:
    """Else it would be counted as missed when its thread makes the next one."""
    ends = [a.kind in ("fexit", "kretprobe") or a.target == "sys_exit" for a in way.attachments]
    assert ends == [True, False]


def test_an_inlined_function_takes_the_next_symbol() -> None:
    chosen = plan(refuse_symbols("set_pte_range", "do_fault_around"))
    mapped = chosen.hook("pages_mapped")
    assert (mapped.way, mapped.symbol) == ("fentry", "do_set_pte")
    assert mapped.refused == (
        ("fentry", "set_pte_range is no symbol"),
        ("kprobe", "set_pte_range is no symbol"),
    )
    assert chosen.hook("fault_around_entered").way == "none"
    assert chosen.hook("fault_around_entered").reason == "do_fault_around is no symbol"


def test_what_suits_a_hook_that_has_no_way_is_of_no_use() -> None:
    chosen = plan(lambda hook, way: "no" if hook.name == "map_pages" else None)
    for name in BESIDE:
        assert chosen.way(name) == "none"
        assert chosen.hook(name).reason == "of no use without the hook map_pages"


def test_functions_beside_tracepoints_are_not_taken() -> None:
    chosen = plan(lambda hook, way: "no" if hook.name == "map_pages" and way.symbol else None)
    assert chosen.way("map_pages") == "tracepoint"
    assert chosen.way("read_fault") == "tracepoint"
    assert chosen.way("pages_mapped") == "none"
    assert chosen.hook("pages_mapped").reason == BY_TRACEPOINTS


def test_tracepoints_beside_functions_are_not_taken() -> None:
    chosen = plan(lambda hook, way: "no" if hook.name == "read_fault" and way.symbol else None)
    assert chosen.way("map_pages") == "fentry"
    assert chosen.way("read_fault") == "none"


def test_fentry_and_kprobe_may_stand_side_by_side() -> None:
    chosen = plan(lambda hook, way: "no" if (hook.name, way.name) == ("map_pages", "fentry") else None)
    assert chosen.way("map_pages") == "kprobe"
    assert chosen.way("read_fault") == "fentry"


@given(any_refusal, any_best)
def test_a_fault_is_never_judged_by_half_tracepoint_half_functions(refuse: Refuse, best: WayName) -> None:
    chosen = plan(refuse, best)
    for hook in HOOKS:
        if hook.beside and chosen.way(hook.name) != "none":
            beside = chosen.way(hook.beside)
            assert beside != "none"
            assert (chosen.way(hook.name) == "tracepoint") is (beside == "tracepoint")


@given(any_refusal, any_best, any_asked)
def test_the_first_way_that_is_not_refused_is_taken(
    refuse: Refuse, best: WayName, asked: dict[str, bool]
) -> None:
    for hook, planned in zip(HOOKS, plan(refuse, best, asked).hooks, strict=True):
        assert [name for name, _ in planned.refused] == [w.name for w in hook.ways[: len(planned.refused)]]
        assert all(why for _, why in planned.refused)
        if planned.way == "none":
            assert len(planned.refused) == len(hook.ways)
            assert planned.attachments == ()
            assert planned.symbol is None
            assert planned.reason
        else:
            taken = hook.ways[len(planned.refused)]
            assert planned.way == taken.name
            assert refuse(hook, taken) is None


@given(any_refusal, any_best)
def test_a_plan_survives_the_hand_over(refuse: Refuse, best: WayName) -> None:
    chosen = plan(refuse, best)
    assert Plan.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


def test_an_unknown_hook_is_a_mistake() -> None:
    with pytest.raises(StopIteration):
        plan(refuse_nothing).hook("nonesuch")
