# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU process: its command line, its start, and that it never outlives us.

Emulation only: no /dev/kvm is asked for, so every machine, container and CI runner gives the same guest.
"""

import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.kernel.clock import INSTRUCTIONS_ARGUMENT
from profiler.lab.image import Kernel
from profiler.lab.processes import die_with

EXECUTABLE = "qemu-system-x86_64"

KERNEL_ARGUMENTS = (
    "console=ttyS0",
    "earlyprintk=serial,ttyS0,115200",  # a panic before the console exists would be silent
    "quiet",
    "panic=-1",  # reboot at once, and -no-reboot makes that QEMU's exit
    # Under emulation these cost time and prove nothing:
    "mitigations=off",
    "nokaslr",  # addresses are part of what is compiled (kept.py): the same at each boot
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


def start(
    kernel: Kernel,
    initramfs: bytes,
    memory: str,
    cpus: int,
    instructions: bool = False,
    append: Sequence[str] = (),
    kept: Path | None = None,
) -> Machine:
    """Start QEMU on ``kernel``; the host's files are exported read-only under the 9p tag ``host``.

    :param memory: with QEMU's suffixes, such as ``3G``.
    :param instructions: the guest's clocks count its instructions, one a nanosecond; ``cpus`` must be 1.
    :param append: further words of the kernel's command line.
    :param kept: a folder that the guest may write, under the 9p tag ``kept``.
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
            command_line(kernel, memory, cpus, *passed, instructions=instructions, append=append, kept=kept),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            process_group=0,  # Ctrl-C is ours to handle
            preexec_fn=die_with(os.getpid()),
        )
    except OSError as error:
        answers.close()
        console.close()
        if isinstance(error, FileNotFoundError):
            message = f"vm needs {EXECUTABLE}, which is not here: apt-get install qemu-system-x86"
        else:
            message = f"cannot start {EXECUTABLE}: {error.strerror}"
        raise UserError(message, Exit.CANNOT_TELL) from error
    finally:
        os.close(archive)
        answers_of_qemu.close()
        console_of_qemu.close()
    return Machine(process, answers, console)


def command_line(
    kernel: Kernel,
    memory: str,
    cpus: int,
    archive: int,
    answers: int,
    console: int,
    *,
    instructions: bool = False,
    append: Sequence[str] = (),
    kept: Path | None = None,
) -> list[str]:
    """Return QEMU's arguments; ``archive``, ``answers`` and ``console`` are descriptors it inherits."""
    clock = (INSTRUCTIONS_ARGUMENT,) if instructions else ()
    # shift=0: an instruction is 1 ns of the guest's time. sleep=off: while all of the guest waits, its clock
    # jumps to its next timer, and nobody waits for real.
    counting = ("-icount", "shift=0,sleep=off") if instructions else ()
    # mapped-xattr: owners and modes are the guest's alone, and all that it writes are plain files here.
    share = f"local,id=kept,path={str(kept).replace(',', ',,')},security_model=mapped-xattr"
    shared = () if kept is None else ("-fsdev", share, "-device", "virtio-9p-pci,fsdev=kept,mount_tag=kept")
    return [
        EXECUTABLE,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35,accel=tcg"),
        *("-cpu", "max,la57=off"),  # a fifth level of page tables makes each emulated page walk longer
        *("-smp", str(cpus), "-m", memory),
        *("-kernel", str(kernel.image), "-initrd", f"/proc/self/fd/{archive}"),
        *("-append", " ".join((*KERNEL_ARGUMENTS, *clock, *append))),
        *counting,
        *("-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=answers,fd={answers}"),
        *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=answers"),
        *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
        *shared,
        *("-device", "virtio-rng-pci"),
    ]
