# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU process: its command line, its start, and that it never outlives us.

Emulation only: no /dev/kvm is asked for, so every machine, container and CI runner gives the same guest.
"""

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from profiler.errors import UserError
from profiler.lab.image import Kernel

EXECUTABLE = "qemu-system-x86_64"

KERNEL_ARGUMENTS = (
    "console=ttyS0",
    "earlyprintk=serial,ttyS0,115200",  # a panic before the console exists would be silent
    "quiet",
    "panic=-1",  # reboot at once, and -no-reboot makes that QEMU's exit
    # Under emulation these cost time and prove nothing:
    "mitigations=off",
    "nowatchdog",
    "tsc=reliable",
    "no_timer_check",
    "audit=0",
    "random.trust_cpu=on",
    "rcupdate.rcu_expedited=1",
    "cryptomgr.notests",
    "raid=noautodetect",
    "8250.nr_uarts=1",
    "i8042.noaux",
    "i8042.nokbd",
)

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: the child must not import


@dataclass
class Machine:
    """A running QEMU.

    :param process: QEMU; its stderr is a pipe.
    :param answers: the guest's frames; end of file when QEMU is gone.
    :param console: the guest's serial console; end of file when QEMU is gone.
    """

    process: subprocess.Popen[bytes]
    answers: socket.socket
    console: socket.socket

    def kill(self) -> None:
        """End QEMU and wait until it is gone. Nothing is lost: the guest writes only to its own memory."""
        self.process.kill()
        self.process.wait()
        self.answers.close()
        self.console.close()
        if self.process.stderr:
            self.process.stderr.close()


def start(kernel: Kernel, initramfs: bytes, memory: str, cpus: int) -> Machine:
    """Start QEMU on ``kernel``; the host's files are exported read-only under the 9p tag ``host``.

    :param memory: with QEMU's suffixes, such as ``3G``.
    :raises UserError: QEMU is not installed, or cannot be started.
    """
    answers, answers_of_qemu = socket.socketpair()
    console, console_of_qemu = socket.socketpair()
    archive = os.memfd_create("initramfs")
    try:
        with os.fdopen(os.dup(archive), "wb") as file:
            file.write(initramfs)
        passed = (archive, answers_of_qemu.fileno(), console_of_qemu.fileno())
        process = subprocess.Popen(
            command_line(kernel, memory, cpus, *passed),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            process_group=0,  # Ctrl-C is ours to handle
            preexec_fn=_die_with(os.getpid()),
        )
    except OSError as error:
        answers.close()
        console.close()
        if isinstance(error, FileNotFoundError):
            message = f"vm needs {EXECUTABLE}, which is not here: apt-get install qemu-system-x86"
        else:
            message = f"cannot start {EXECUTABLE}: {error.strerror}"
        raise UserError(message) from error
    finally:
        os.close(archive)
        answers_of_qemu.close()
        console_of_qemu.close()
    return Machine(process, answers, console)


def command_line(
    kernel: Kernel, memory: str, cpus: int, archive: int, answers: int, console: int
) -> list[str]:
    """Return QEMU's arguments; the last three parameters are descriptors it inherits."""
    return [
        EXECUTABLE,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35,accel=tcg"),
        *("-cpu", "max,la57=off"),  # a fifth level of page tables makes each emulated page walk longer
        *("-smp", str(cpus), "-m", memory),
        *("-kernel", str(kernel.image), "-initrd", f"/proc/self/fd/{archive}"),
        *("-append", " ".join(KERNEL_ARGUMENTS)),
        *("-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=answers,fd={answers}"),
        *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=answers"),
        *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
        *("-device", "virtio-rng-pci"),
    ]


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the child runs before exec: the kernel kills it when ``parent`` ends, by whatever death."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before prctl could be called
            os._exit(1)

    return ask
