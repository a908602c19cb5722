# SPDX-License-Identifier: GPL-2.0-only
"""Write-protected shared memory whose page is gone: pte markers, dropped or swapped out."""

import pytest

from profiler.hooks.session import Session
from profiler.pte.layout import Layout
from tests.kernel.swap import devices
from tests.kernel.swap.conftest import Make
from tests.kernel.swap.counted import brought_back, check, expected, not_available
from tests.kernel.swap.producer import Access
from tests.modes import SUPPORTED

P = 257

if "wp" in SUPPORTED:

    @pytest.mark.parametrize("access", ["read", "write"])
    @pytest.mark.parametrize("how", ["dropped", "swapped-out"])
    def test_each_touch_of_a_marker_is_told_from_swap_slots(
        session: Session,
        hooked: bool,
        make: Make,
        zram: devices.Area,
        layout: Layout,
        how: str,
        access: Access,
    ) -> None:
        with make("shmem", P) as producer, devices.read_ahead(0):
            producer.fill()
            producer.register()
            producer.protect()
            if how == "dropped":
                producer.drop()
            else:
                producer.page_out()
            swapped, away = producer.swapped(), producer.in_core().count(False)
            gone = [entry for entry in producer.entries(layout) if not entry.present]
            before = session.snapshot()
            touched = producer.touch(access, threads=3)
            seen = session.snapshot() - before
        assert touched.wrong == 0
        assert touched.wp == (P if access == "write" else 0)
        assert {(e.kind, e.uffd_wp, e.offset, e.markers) for e in gone} == {
            ("marker_uffd_wp", True, 1, ("uffd_wp",))
        }
        if how == "dropped":
            assert (len(gone), swapped) == (P, 0)
        else:
            assert len(gone) == swapped > P // 2
        if not hooked:
            not_available(session, seen)
            return
        # Behind a marker there may be a page that is swapped out: the fault goes on to bring it back.
        made = expected("marker_uffd_wp", True, major=away, minor=len(gone) - away)
        check(session, seen, made, brought_back(major=away, minor=swapped - away))
