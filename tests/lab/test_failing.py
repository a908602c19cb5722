# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that do not get anywhere, and disks that are full: a sentence in time, and QEMU gone."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.errors import Exit, UserError
from profiler.lab import vm
from profiler.lab.debian import debian_kernel
from profiler.lab.image import read_kernel
from profiler.lab.initramfs import cpio
from profiler.lab.qemu import Machine, start
from tests.lab import full_disk

pytestmark = pytest.mark.vm


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Machine]]:
    """The VMs that the test started; all are gone at its end."""
    started: list[Machine] = []

    def remember(*arguments: object) -> Machine:
        started.append(start(*arguments))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(vm, "start", remember)
    yield started
    assert started
    for machine in started:
        assert machine.process.returncode is not None
        assert not Path("/proc", str(machine.process.pid)).exists()


def test_a_kernel_without_an_init_panics_and_that_is_said(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = cpio([("init", stat.S_IFREG | 0o755, b"no program")])
    monkeypatch.setattr(vm, "build_initramfs", lambda *_: broken)
    with pytest.raises(
        UserError, match=r"kernel panicked: .*; the last lines of its console:\n  .*"
    ) as error:
        vm.run_in_vm(debian_kernel("6.1"), ["true"])
    assert error.value.code == Exit.CANNOT_TELL


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        # The decompressor halts for ever: at the boot limit it is over.
        (
            slice(1 << 20, 2 << 20),
            "within 6 s, and was ended; the last lines of its console:(\n.*)*\n  .*System halted",
        ),
        # No decompressor: the machine resets at once.
        (slice(1 << 15, None), "the VM ended before the command did"),
    ],
)
def test_a_damaged_image_ends_in_time(
    machines: list[Machine], tmp_path: Path, lost: slice, sentence: str
) -> None:
    (image,) = debian_kernel("6.1").image.parent.glob("vmlinuz-*")
    damaged = tmp_path / "bzImage"
    content = bytearray(image.read_bytes())
    content[lost] = b"\xf4" * len(content[lost])  # hlt
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        vm.run_in_vm(read_kernel(damaged), ["true"], boot_seconds=6)


def test_a_guest_that_hangs_while_it_boots_is_ended(machines: list[Machine]) -> None:
    def stop() -> None:
        while not machines:
            time.sleep(0.01)
        os.kill(machines[0].process.pid, signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(UserError, match="within 4 s, and was ended; the last lines of its console:"):
            vm.run_in_vm(debian_kernel("6.1"), ["true"], boot_seconds=4)
    finally:
        stopper.join()


def test_a_guest_that_falls_silent_while_the_command_runs_is_ended(machines: list[Machine]) -> None:
    """Before that it is silent for longer, but says that it lives."""
    heard, said = os.pipe()

    def stop() -> None:
        assert os.read(heard, 100) == b"begun\n"
        time.sleep(15)
        stopped.append(time.monotonic())
        os.kill(machines[0].process.pid, signal.SIGSTOP)

    stopped: list[float] = []
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(vm.HungError, match="the guest hangs: it has not sent a sign of life for 12 s"):
            vm.run_in_vm(
                debian_kernel("6.1"),
                ["sh", "-c", "echo begun; sleep 100"],
                timeout=90,
                silent_seconds=12,
                stdout=said,
            )
    finally:
        os.close(said)
        stopper.join()
        os.close(heard)
    assert time.monotonic() - stopped[0] > 6  # the last sign is at most 5 s before


def test_a_full_disk() -> None:
    full_disk.one_sentence("debian:6.1")
