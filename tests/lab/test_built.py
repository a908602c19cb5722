# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that we build, booted: each has the gate it is meant to have, and all that the kernel tests need.

The first run builds them, which takes ten minutes.
"""

import subprocess
import sys

import pytest

from profiler.lab.built import VARIANTS, built_kernels
from tests.lab import full_disk

pytestmark = pytest.mark.vm

# Pages mapped after one read of a page, where 16 pages around it are in the page cache.
PRESENT = {
    "mainline": {"none": 16, "missing": 16, "wp": 1, "minor": 1},
    "seed": {"none": 16, "missing": 1, "wp": 1, "minor": 1},
    "ungated": {"none": 16, "missing": 16, "wp": 16, "minor": 16},
}

HAS_ALL = r"""
case "$(uname -r)" in 6.1.*-lab-$0) ;; *) exit 1;; esac
for function in do_fault_around do_read_fault filemap_map_pages handle_userfault do_swap_page; do
    grep -qx "$function" /sys/kernel/tracing/available_filter_functions
    grep -q "^[0-9a-f]* t $function\|^[0-9a-f]* T $function" /proc/kallsyms
done
test -r /sys/kernel/btf/vmlinux
modprobe zram && test -b /dev/zram0
modprobe -a loop ext4 && grep -qw ext4 /proc/filesystems
echo 3 > /proc/sys/vm/nr_hugepages && test "$(cat /proc/sys/vm/nr_hugepages)" = 3
"$1" -c 'from profiler.service import sandbox; assert sandbox.abi() > 0'
test -r /sys/kernel/debug/fault_around_bytes
test -e /sys/fs/cgroup/cgroup.procs
test -e /proc/self/ns/pid
zcat /proc/config.gz | grep -qx CONFIG_MEMORY_FAILURE=y
"""

FIRST_TOUCH = 'exec "$1" -m tests.lab.first_touch'


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    built_kernels()


def vm(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "profiler", "vm", "--timeout", "300", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", VARIANTS)
def test_it_has_the_gate_it_is_named_for_and_all_that_the_kernel_tests_need(name: str) -> None:
    ended = vm("--kernel", f"lab:{name}", "--", "bash", "-exc", HAS_ALL + FIRST_TOUCH, name, sys.executable)
    assert ended.returncode == 0, ended.stderr
    pairs = (line.split() for line in ended.stdout.splitlines())
    assert {mode: int(present) for mode, present in pairs} == PRESENT[name]


def test_a_full_disk() -> None:
    full_disk.one_sentence("lab:seed")
