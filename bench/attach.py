# SPDX-License-Identifier: GPL-2.0-only
"""From exec to attached, and what stays in memory: medians of separate runs.

Attached is the moment at which the profiled command starts: `profile -- date` prints it.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from profiler.hooks import kept

RUNS = 15


def forget() -> None:
    """What earlier starts compiled: the next one compiles again."""
    for folder in map(Path, kept.FOLDERS):
        for file in folder.glob("*.json"):
            file.unlink()


def exec_to_attached_s() -> float:
    """Seconds from before exec to the start of the profiled command."""
    begun = time.time_ns()
    command = [sys.executable, "-m", "profiler", "profile", "--", "date", "+%s%N"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (int(done.stdout.split()[0]) - begun) / 1e9


def resident_kib() -> int:
    """VmRSS of the process that stays, half a second after attaching."""
    process = subprocess.Popen(
        [sys.executable, "-m", "profiler", "profile", "-d", "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(2.5)
        status = Path(f"/proc/{process.pid}/status").read_text()
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    finally:
        process.kill()
        process.wait()
    if "LLVM" in maps or "libbcc" in maps:
        raise SystemExit("LLVM is still mapped")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def main() -> None:
    """Print the figures."""
    first, later = [], []
    for _ in range(RUNS):
        forget()
        first.append(exec_to_attached_s())
        later.append(exec_to_attached_s())
    for what, times in (("the first time after a boot", first), ("later", later)):
        print(
            f"exec to attached, {what}: median {statistics.median(times):.2f} s of {RUNS} runs "
            f"({min(times):.2f} to {max(times):.2f} s)"
        )
    print(f"resident afterwards: {resident_kib() / 1024:.1f} MiB, no LLVM and no BCC mapped")


if __name__ == "__main__":
    main()
