# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel has to be built with: to boot in our VM, and to be profiled there."""

from collections.abc import Iterator

from profiler.errors import Exit, UserError
from profiler.lab.image import Kernel
from profiler.lab.kernel_config import Configuration

# Without one of these, init cannot run, see the host's files, or answer.
_TO_BOOT = (
    "64BIT",
    "BINFMT_ELF",
    "BLK_DEV_INITRD",
    "PROC_FS",
    "SYSFS",
    "DEVTMPFS",
    "TMPFS",
    "PCI",
    "VIRTIO_PCI",
    "VIRTIO_CONSOLE",
    "NET_9P_VIRTIO",
    "9P_FS",
)

# Option → what is lost without it.
_TO_USE = {
    "SERIAL_8250_CONSOLE": "if it panics, the reason will not be seen",
    "OVERLAY_FS": "the VM does not show what is in /tmp, and modprobe finds no modules",
    "USERFAULTFD": "there are no userfaults",
    "SHMEM": "there is no shared memory, on which check judges",
    "MEMFD_CREATE": "there is no memfd, on which check judges",
    "BPF_SYSCALL": "nothing can be profiled",
    "PERF_EVENTS": "nothing can be profiled",
    "BPF_EVENTS": "nothing can be profiled",
    "DEBUG_INFO_BTF": "nothing can be profiled",
    "KALLSYMS": "nothing can be profiled",
    "BPF_JIT": "no hook can be reached by fentry",
    "FUNCTION_TRACER": "no hook can be reached by fentry",
    "DYNAMIC_FTRACE": "no hook can be reached by fentry",
    "KPROBE_EVENTS": "no hook can be reached by kprobe",
    "DEBUG_FS": "fault_around_bytes cannot be read",
}


def require_bootable(kernel: Kernel, config: Configuration) -> None:
    """See that ``kernel`` can get as far as running a command in the VM.

    :raises UserError: it cannot; with the options it lacks.
    """
    image = kernel.image
    missing = [name for name in _TO_BOOT if config.get(name, "n") == "n"]
    if missing:
        raise UserError(
            f"the kernel {image} cannot run in the VM: it is built without {_options(missing)}; "
            "switch them on, built in or as modules, and build it again",
            Exit.CANNOT_TELL,
        )
    modular = [name for name in _TO_BOOT if config[name] == "m"]
    if modular and kernel.modules is None:
        raise UserError(
            f"the kernel {image} has {_options(modular)} as modules, which are not here; put them into "
            f"{image.parent.parent}/lib/modules/{kernel.release} (make modules_install), or build them in",
            Exit.CANNOT_TELL,
        )


def lost(config: Configuration) -> Iterator[str]:
    """Yield for each option that is not in ``config``, and that users would miss, what they will not have.

    Options that lose the same are in one phrase: ``without CONFIG_A, CONFIG_B nothing can be profiled``.
    """
    by_loss: dict[str, list[str]] = {}
    for name, loss in _TO_USE.items():
        if config.get(name, "n") == "n":
            by_loss.setdefault(loss, []).append(name)
    for loss, names in by_loss.items():
        yield f"without {_options(names)} {loss}"


def _options(names: list[str]) -> str:
    return ", ".join(f"CONFIG_{name}" for name in names)
