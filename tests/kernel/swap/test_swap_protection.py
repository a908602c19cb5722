# SPDX-License-Identifier: GPL-2.0-only
"""Write-protection survives swap-out and swap-in; where it was lifted in between, it does not."""

import pytest

from profiler.hooks.session import Session
from profiler.pte.layout import Layout
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import lost_returns

P = 257


@pytest.mark.parametrize("lifted", [False, True], ids=["kept", "lifted"])
def test_every_page_read_back_is_still_protected(
    session: Session, hooked: bool, make: Make, zram: devices.Area, layout: Layout, lifted: bool
) -> None:
    with make("anon", P) as producer, devices.read_ahead(0):
        producer.fill()
        producer.register()
        producer.protect()
        producer.page_out()
        away = producer.away()
        if lifted:
            producer.protect(on=False)
        before = session.snapshot()
        read = producer.touch("read", threads=3)
        between = session.snapshot()
        back = [entry for entry in producer.entries(layout) if entry.present]
        written = producer.touch("write", threads=3)
        after = session.snapshot()
    assert away > P // 2
    assert len(back) == P
    if "uffd_wp" not in back[0].unknown:
        assert [entry.uffd_wp for entry in back] == [not lifted] * P
    assert read.wp == read.wrong == 0
    assert written.wp == (0 if lifted else P)
    if hooked:
        swapped_in = between - before
        lost = lost_returns(session, swapped_in, "swap_entry")
        assert swapped_in.total("swap_fault", uffd_wp="no" if lifted else "yes").count + lost == away
        assert swapped_in.total("swap_fault").count + lost == away
        assert (after - between).total("swap_fault").count == 0
    assert (after - between).total("userfault_begun", reason="wp", backing="anon").count == written.wp
