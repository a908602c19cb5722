# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's account of a program is read from one file, and stays readable when its descriptor is gone."""

import os

import pytest

from profiler.hooks.accounts import Account, Accounts, parse

# As 6.18 prints it; 5.10 has no recursion_misses.
FDINFO = """\
pos:\t0
flags:\t02000002
mnt_id:\t15
ino:\t1058
prog_type:\t17
prog_jited:\t1
prog_tag:\t1b1d8b9c1f3c3a2e
memlock:\t8192
prog_id:\t40
run_time_ns:\t1367611
run_cnt:\t4432
recursion_misses:\t7
verified_insns:\t611
"""


@pytest.mark.parametrize(
    ("text", "account"),
    [
        (FDINFO, Account(7, 4432, 1367611)),
        (FDINFO.replace("recursion_misses:\t7\n", ""), Account(None, 4432, 1367611)),
        ("pos:\t0\n", Account(None, 0, 0)),
        ("", Account(None, 0, 0)),
    ],
    ids=["6.18", "5.10", "no program", "nothing"],
)
def test_fdinfo_of_a_program(text: str, account: Account) -> None:
    assert parse(text) == account


def test_files_are_opened_once_and_read_anew() -> None:
    fd = os.memfd_create("program")
    accounts = Accounts([("raw_x", fd)])
    assert accounts.read() == accounts.read() == {"raw_x": Account(None, 0, 0)}
    accounts.close()
    os.close(fd)
    assert accounts.read() == {}
