# SPDX-License-Identifier: GPL-2.0-only
"""A real VM on Debian's 6.1: what goes in comes out, and QEMU is gone afterwards, however it ended.

One boot takes 3 s on an idle machine, up to 40 s on a busy one.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.hooks.by_host import VARIABLE
from profiler.lab.cache import cache_directory
from profiler.lab.debian import debian_kernel

MEMORY = "1531M"
COMMAND = [sys.executable, "-m", "profiler", "vm", "--kernel", "debian:6.1", "--memory", MEMORY]

KERNELS = cache_directory() / "kernels"

pytestmark = pytest.mark.vm

LOOK_AROUND = r"""
printf 'out\r\n\0\377'
printf 'err\r\n\0\376' >&2
exec >&2
set -x
test "$PWD" = "$HERE"
case "$(uname -r)" in 6.1.0-*-amd64) ;; *) exit 1;; esac
/usr/bin/python3 -c 'import bcc'
modprobe zram && test -b /dev/zram0
echo 3 > /proc/sys/vm/nr_hugepages && test "$(cat /proc/sys/vm/nr_hugepages)" = 3
for directory in /sys/kernel/debug /sys/kernel/tracing /sys/fs/bpf /sys/fs/cgroup /dev/pts /dev/shm /run; do
    test "$(stat -f -c %T "$directory")" != "$(stat -f -c %T /usr)"
done
grep -q handle_mm_fault /sys/kernel/tracing/available_filter_functions
test -r /sys/kernel/btf/vmlinux
python3 -c 'import socket; a = ("127.0.0.1", 9); s = socket.create_server(a); socket.create_connection(a)'
touch /tmp/written /run/written /dev/shm/written
if touch written; then exit 1; fi
cat <(echo substitution) > /dev/stderr
exit 7
"""


def vm(*words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *words], capture_output=True, check=False)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether it runs; a dead process that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def qemu_of_ours() -> set[int]:
    """Pids of running QEMUs that this file started: nobody else gives a VM this size."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu-system" in arguments[0] and MEMORY.encode() in arguments and is_running(int(entry.name)):
            found.add(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    assert qemu_of_ours() == set()


def test_a_guest_has_what_profiling_needs_and_streams_come_back_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HERE", str(Path.cwd()))
    ended = vm("--", "bash", "-ec", LOOK_AROUND)
    assert ended.stdout == b"out\r\n\0\xff"
    assert ended.stderr.startswith(b"err\r\n\0\xfe")
    assert ended.returncode == 7, ended.stderr.decode(errors="replace")


def test_much_output_is_whole() -> None:
    ended = vm("--", "sh", "-c", "sleep 900 & head -c 5000000 /dev/zero")
    assert (ended.returncode, ended.stdout.count(0), ended.stderr) == (0, 5_000_000, b"")


def test_a_command_that_is_not_there_and_one_that_a_signal_ends() -> None:
    ended = vm("--", "nosuchcommand")
    assert (ended.returncode, ended.stderr.count(b"nosuchcommand")) == (127, 1)
    assert vm("--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_what_is_compiled_for_a_guest_is_there_for_the_next_and_is_what_it_would_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uffd-profiler").mkdir()
    (tmp_path / "uffd-profiler" / "kernels").symlink_to(KERNELS)
    kept = tmp_path / "uffd-profiler" / "vm-compiled" / debian_kernel("6.1").release
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    profile = (sys.executable, "-m", "profiler", "profile", "-d", "0.1", "--best-way", "tracepoint")
    listed = 'set -e; ls -A /run/uffd-profiler; "$@" >/dev/null; ls -A /run/uffd-profiler'
    first = vm("--", "sh", "-c", listed, "sh", *profile)
    (name,) = first.stdout.decode().split()
    made = (kept / name).stat()
    assert stat.S_IMODE(made.st_mode) == 0o600
    # The host made it: a guest's files have their owner in an attribute (virtio-9p: mapped-xattr).
    assert not any("virtfs" in attribute for attribute in os.listxattr(kept / name))
    # The addresses of the kernel's functions are part of what is compiled: they are the same at each boot.
    alone = "mount -t tmpfs none /run/uffd-profiler; chmod 0700 /run/uffd-profiler"
    alone += f'; env -u {VARIABLE} "$@" >/dev/null; cat /run/uffd-profiler/*'
    second = vm("--", "sh", "-c", f"{listed}; {alone}", "sh", *profile)
    before, after, compiled_alone = second.stdout.decode().split("\n", 2)
    assert before == after == name
    used = (kept / name).stat()
    assert used.st_ino == made.st_ino
    assert used.st_mtime_ns > made.st_mtime_ns
    assert json.loads((kept / name).read_text())["compiled"] == json.loads(compiled_alone)["compiled"]
    other = vm("--kernel", "debian:5.10", "--", "ls", "-A", "/run/uffd-profiler")
    assert (other.returncode, other.stdout) == (0, b"")


def test_without_a_cache_that_can_be_written_a_guest_keeps_what_it_compiled_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uffd-profiler").mkdir()
    (tmp_path / "uffd-profiler" / "kernels").symlink_to(KERNELS)
    (tmp_path / "uffd-profiler" / "vm-init").symlink_to(cache_directory() / "vm-init")
    (tmp_path / "uffd-profiler" / "vm-compiled").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ended = vm("--", "sh", "-c", "echo kept > /run/uffd-profiler/word; stat -f -c %T /run/uffd-profiler")
    assert (ended.returncode, ended.stdout) == (0, b"tmpfs\n"), ended.stderr


def test_a_panic_is_reported_with_the_console() -> None:
    ended = vm("--", "sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 900")
    assert ended.stdout == b"before\n"
    assert b"kernel panicked: sysrq triggered crash; the last lines of its console:\n" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_timeout_ends_the_vm() -> None:
    started = time.monotonic()
    ended = vm("--timeout", "20", "--", "sleep", "900")
    assert (
        b"within 20 s" in ended.stderr
    )  # on a machine so busy that it did not boot till then, another sentence
    assert time.monotonic() - started < 50


def test_a_kernel_without_modules_says_which_options_it_lacks(tmp_path: Path) -> None:
    (image,) = debian_kernel("6.1").image.parent.glob("vmlinuz-*")
    copy = tmp_path / "bzImage"
    copy.write_bytes(image.read_bytes())
    ended = vm("--kernel", str(copy), "--", "true")
    assert b"it needs CONFIG_VIRTIO_PCI and CONFIG_VIRTIO_CONSOLE" in ended.stderr


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_qemu_never_outlives_us(death: signal.Signals) -> None:
    process = subprocess.Popen([*COMMAND, "--", "sleep", "900"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not children(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (qemu,) = children(process.pid)
    time.sleep(0.5)
    process.send_signal(death)
    _, said = process.communicate(timeout=30)
    assert b"Traceback" not in said
    deadline = time.monotonic() + 10
    while is_running(qemu):
        assert time.monotonic() < deadline
        time.sleep(0.05)
