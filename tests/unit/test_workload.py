# SPDX-License-Identifier: GPL-2.0-only
"""The ground truth, on the kernel that runs: what it counts is what it says it must be. Prime numbers."""

import itertools
import math
import os
import subprocess
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.workload import build
from profiler.workload.result import Result
from profiler.workload.run import Access, Backing, Cache, Gup, Options, UnavailableError, gated, run

PAGES = 53
WINDOW = 16
SHMEM: tuple[Backing, ...] = ("memfd", "memfd-private", "tmpfs")
MODES = ("none", "missing", "wp", "minor", "missing+wp", "missing+minor", "wp+minor", "missing+wp+minor")
CACHES: tuple[Cache, ...] = ("full", "half", "empty")
ACCESSES: tuple[Access, ...] = ("read", "write")
HOLES = (PAGES + 1) // 2

SETTING = Path("/sys/kernel/debug/fault_around_bytes")


def window() -> int:
    """Pages of the kernel's fault-around window; 16 where it cannot be read."""
    try:
        return int(SETTING.read_text()) // 4096
    except OSError:
        return WINDOW


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    build.build()


def exact(result: Result) -> Result:
    """All the ways the program counts agree."""
    assert result.expected_exact
    assert result.faults == result.expected_faults
    assert result.sigbus + result.efault == result.expected_refused
    awaited = result.expected_userfaults.total + result.rewaits + result.signals
    assert result.messages.total == awaited
    assert result.messages.other == 0
    assert sum(thread.touches for thread in result.threads) == result.touches
    assert sum(thread.expected_faults for thread in result.threads) == result.expected_faults
    for thread in result.threads:
        assert thread.faults_minor + thread.faults_major == thread.expected_faults
    return result


@pytest.mark.parametrize(("backing", "mode"), list(itertools.product(("anon", *SHMEM), MODES)))
def test_every_mode_cache_and_access_is_exact(backing: Backing, mode: str) -> None:
    if backing == "anon" and "minor" in mode:
        with pytest.raises(UnavailableError, match=f"mode {mode.replace('+', '.')} on backing anon: .*MINOR"):
            run(Options(backing=backing, mode=mode))
        return
    for cache, access in itertools.product(CACHES if backing != "anon" else (None,), ACCESSES):
        for marker in {False, "wp" in mode}:
            options = Options(
                backing=backing, mode=mode, cache=cache, access=access, pages=PAGES, marker=marker
            )
            assert exact(run(options)).touches == PAGES


@pytest.mark.parametrize("backing", SHMEM)
@pytest.mark.parametrize(
    ("mode", "faults", "userfaults"),
    [
        ("none", math.ceil(PAGES / window()), 0),
        ("missing", math.ceil(PAGES / window()), 0),
        ("wp", PAGES, 0),
        ("minor", PAGES, PAGES),
        ("missing+wp", PAGES, 0),
        ("missing+minor", PAGES, PAGES),
        ("wp+minor", PAGES, PAGES),
    ],
)
def test_fault_around_of_a_full_cache_on_this_kernel(
    backing: Backing, mode: str, faults: int, userfaults: int
) -> None:
    """Mainline's rule since 5.19: MISSING alone faults around; wp and minor do not."""
    result = exact(run(Options(backing=backing, mode=mode, pages=PAGES)))
    assert result.expected_faults == result.fault_windows == faults
    assert result.expected_userfaults.minor == result.expected_userfaults.total == userfaults
    assert result.present_after_first_touch == (1 if faults == PAGES else min(window(), PAGES))
    assert (result.present_before, result.present_after) == (0, PAGES)
    assert result.cached_before == PAGES


def test_half_a_cache_has_its_holes_where_it_says() -> None:
    result = exact(run(Options(mode="missing+minor", cache="half", pages=PAGES)))
    assert result.expected_userfaults.missing == result.messages.missing == HOLES
    assert result.expected_userfaults.minor == result.messages.minor == PAGES - HOLES
    assert result.cached_before == PAGES - HOLES
    assert result.cached_after == PAGES
    assert result.ioctls["COPY"] == {"ok": HOLES}
    assert result.ioctls["CONTINUE"] == {"ok": PAGES - HOLES}


def test_a_marker_costs_a_write_two_faults_and_one_message() -> None:
    write = exact(run(Options(mode="wp", marker=True, access="write", pages=PAGES)))
    assert (write.faults, write.messages.wp, write.expected_userfaults.wp) == (2 * PAGES, PAGES, PAGES)
    read = exact(run(Options(mode="wp", marker=True, pages=PAGES)))
    assert (read.faults, read.messages.wp) == (PAGES, 0)


@pytest.mark.parametrize("backing", ["anon", *SHMEM])
def test_populated_pages_fault_only_where_protected(backing: Backing) -> None:
    plain = exact(run(Options(backing=backing, mode="wp", access="write", populate=True, pages=PAGES)))
    assert (plain.faults, plain.present_before, plain.setup_faults) == (0, PAGES, PAGES)
    options = Options(backing=backing, mode="wp", access="write", populate=True, marker=True, pages=PAGES)
    assert exact(run(options)).messages.wp == PAGES


def test_the_loop_takes_no_fault_of_its_own() -> None:
    result = exact(run(Options(backing="anon", access="write", populate=True, pages=4099, threads=4)))
    assert result.faults == 0


@pytest.mark.parametrize("mode", ["none", "missing", "wp", "minor"])
def test_threads_share_the_pages_out(mode: str) -> None:
    result = exact(run(Options(mode=mode, cache="half", pages=257, threads=4, handlers=2)))
    assert result.touches == 257
    assert all(thread.expected_faults for thread in result.threads)


def test_stride_and_random_order() -> None:
    result = exact(run(Options(mode="minor", pages=257, stride=3, order="random", seed=7, threads=3)))
    assert result.touches == result.messages.minor == len(range(0, 257, 3))


def test_touch_once_counts_the_neighbours() -> None:
    result = exact(run(Options(touch_once=True, pages=PAGES)))
    assert (result.touches, result.faults) == (1, 1)
    assert result.present_after == result.present_after_first_touch == min(window(), PAGES)


@pytest.mark.parametrize("backing", ["anon", "memfd"])
def test_sigbus_instead_of_a_wait(backing: Backing) -> None:
    options = Options(backing=backing, mode="missing", cache="empty", pages=PAGES, sigbus=True)
    result = exact(run(options))
    assert result.sigbus == result.expected_exceptions == PAGES
    assert (result.faults, result.messages.total, result.present_after) == (0, 0, 0)


@pytest.mark.parametrize("signals", [13, 101])
def test_a_signal_makes_the_fault_come_again(signals: int) -> None:
    options = Options(mode="minor", pages=PAGES, signal=signals, delay_us=500)
    result = exact(run(options))
    assert result.signals == min(signals, PAGES)
    assert result.messages.minor == PAGES + result.signals
    assert result.expected_exceptions == PAGES + result.signals


@pytest.mark.parametrize("threads", [1, 4])
def test_a_wake_without_a_fill_makes_it_wait_again(threads: int) -> None:
    options = Options(
        mode="missing", cache="empty", pages=PAGES, wake_first=2, threads=threads, handlers=threads
    )
    result = exact(run(options))
    assert result.rewaits == 2 * PAGES
    assert result.messages.missing == 3 * PAGES
    assert result.ioctls["WAKE"] == {"ok": 2 * PAGES}


@pytest.mark.parametrize("backing", ["anon", "memfd"])
@pytest.mark.parametrize("handlers", [1, 3])
def test_threads_on_one_page_all_wait(backing: Backing, handlers: int) -> None:
    options = Options(
        backing=backing,
        mode="missing",
        cache="empty",
        pages=PAGES,
        threads=4,
        handlers=handlers,
        same_page=True,
    )
    result = run(options)
    assert result.expected_exact
    assert result.faults == result.expected_faults == result.expected_userfaults.missing == 4 * PAGES
    assert result.max_waiting == 4
    # One message is enough to wake all four. More handlers read more of them, and find the page filled.
    extra = result.messages.missing - PAGES
    assert extra == 0 if handlers == 1 else extra >= 0
    assert result.ioctls["COPY"].get("EEXIST", 0) == extra == result.ioctls["WAKE"]["ok"]


def test_threads_on_one_page_without_a_wait_have_bounds() -> None:
    result = run(Options(pages=PAGES, threads=3, same_page=True))
    assert result.agrees
    assert not result.expected_exact
    assert result.expected_faults_min == math.ceil(PAGES / window())


def test_thirty_two_sleepers_at_once() -> None:
    result = exact(run(Options(mode="minor", pages=521, threads=32, gather=True)))
    assert result.max_waiting == 32
    assert result.present_after_first_touch is None


@pytest.mark.parametrize("mode", ["missing", "wp", "minor", "missing+wp+minor"])
@pytest.mark.parametrize("close", [False, True])
def test_what_waits_is_let_go_by_unregister_and_close(mode: str, close: bool) -> None:
    options = Options(
        mode=mode,
        cache="empty" if mode == "missing" else "full",
        access="write",
        marker="wp" in mode,
        pages=101,
        threads=5,
        unregister_while_waiting=not close,
        close_while_waiting=close,
    )
    result = run(options)
    assert result.expected_exact
    assert result.faults == result.expected_faults
    assert result.expected_userfaults.total == result.max_waiting == 5
    assert result.messages.total == 0
    assert result.ioctls["UNREGISTER"]["ok"] == (not close)
    assert result.present_after == 101


@pytest.mark.parametrize("mode", ["missing", "wp", "minor"])
def test_a_forked_child_is_not_registered(mode: str) -> None:
    result = exact(run(Options(mode=mode, pages=PAGES, fork=True)))
    assert result.touch_pid != result.pid
    assert (result.expected_userfaults.total, result.messages.total) == (0, 0)
    assert result.faults == math.ceil(PAGES / window())


def test_a_forked_child_copies_on_write() -> None:
    result = exact(run(Options(backing="anon", access="write", populate=True, pages=PAGES, fork=True)))
    assert result.faults == PAGES


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("mode", ["none", "missing", "minor"])
def test_the_kernel_touches(mode: str, access: Access) -> None:
    options = Options(mode=mode, cache="half", access=access, pages=PAGES, kernel_access=True)
    result = run(options)
    if result.user_mode_only:
        assert result.agrees
        return
    exact(result)
    assert result.expected_exceptions == result.faults


@pytest.mark.parametrize("gup", ["populate", "process-vm"])
def test_gup_faults_without_an_exception(gup: Gup) -> None:
    plain = exact(run(Options(pages=PAGES, gup=gup)))
    assert (plain.gup_method, plain.expected_exceptions) == (gup, 0)
    assert plain.faults == math.ceil(PAGES / window())
    waited = run(Options(mode="minor", pages=PAGES, gup=gup))
    assert waited.agrees
    assert waited.messages.minor + waited.efault == PAGES


def test_noise_changes_nothing() -> None:
    result = exact(run(Options(pages=4099, threads=2, noise=2)))
    assert result.faults == math.ceil(4099 / window())
    assert result.noise_faults > 0


def test_zeropage() -> None:
    options = Options(backing="anon", mode="missing", access="write", pages=PAGES, zeropage=True)
    assert exact(run(options)).ioctls["ZEROPAGE"] == {"ok": PAGES}


def test_a_cold_file_is_read_from_the_disk() -> None:
    path = Path(__file__).parent / f"cold-{os.getpid()}"
    result = exact(run(Options(cold_file=path, pages=211)))
    assert not path.exists()
    assert result.cached_before == 0
    assert result.present_after == 211


def test_the_gate_holds_the_touches_back() -> None:
    with gated(Options(mode="minor", pages=PAGES)) as workload:
        assert Path(f"/proc/{workload.pid}/exe").resolve() == build.path()
        workload.touch()
        result = exact(workload.result())
    assert result.pid == result.touch_pid == workload.pid
    assert workload.process.returncode == 0


def test_the_gate_names_the_process_that_touches() -> None:
    with gated(Options(pages=PAGES, fork=True)) as workload:
        result = exact(workload.result())
    assert workload.pid == result.touch_pid != result.pid


def test_a_gate_that_is_left_leaves_no_process() -> None:
    with gated(Options(pages=PAGES, fork=True, noise=1)) as workload:
        pass
    assert workload.process.returncode == -9
    with (
        pytest.raises(UserError, match="memory has no page cache"),
        gated(Options(backing="anon", cache="full")),
    ):
        pass


def test_the_gate_ends_with_its_stdin() -> None:
    done = subprocess.run(
        [build.path(), "--gate"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"stdin ended" in done.stderr


def test_hugetlb_or_how_to_get_it() -> None:
    options = Options(backing="hugetlb", mode="missing", cache="half", pages=3)
    try:
        result = exact(run(options))
    except UnavailableError as error:
        assert "3 free huge pages" in str(error)
        assert "sysctl vm.nr_hugepages=3" in str(error)
    else:
        assert (result.messages.missing, result.page_size > 4096) == (2, True)


def test_swap_or_how_to_get_it() -> None:
    options = Options(backing="anon", swap=True, pages=PAGES)
    try:
        result = exact(run(options))
    except UnavailableError as error:
        assert "swapon" in str(error)
    else:
        assert result.faults == result.swapped_before
