# SPDX-License-Identifier: GPL-2.0-only
"""What was profiled: the first lines of every report."""

from ..profile import Profile
from .units import duration

_CLOCKS = {
    "emulated": "QEMU without KVM: wall time misleads here, counts and ratios within one run do not",
    "instructions": "counts guest instructions: 1 ns is one instruction executed, not time",
}


def header(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Name and value of each line."""
    kernel, command = profile.kernel, profile.command
    size = "unknown (debugfs cannot be read)"
    if kernel.fault_around_bytes is not None:
        size = str(kernel.fault_around_bytes)
    took = f"{duration(profile.total.duration_ns)}, attached in {duration(profile.attach_ns)}"
    lines = [
        ("kernel", f"{kernel.release} {kernel.machine}, fault_around_bytes {size}"),
        ("scope", profile.scope),
        ("profiled", f"{took}, begun {profile.started_at}"),
    ]
    if kernel.clock != "hardware":
        lines.insert(1, ("clock", _CLOCKS[kernel.clock]))
    if command:
        code = "still running" if command.exit_code is None else f"exit code {command.exit_code}"
        lines.append(("command", code))
    return tuple(lines)
