# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that everything is tested on, and the tests of each, in a VM.

``python -m tests.kernels`` runs them (``make test-kernels``) and compares what they found with
docs/kernels.md; ``--renew`` only writes that page. With names, only those kernels, and no page. ``--whole``
runs every case that `make test` runs on Debian's 6.1, else there is one of each idea.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT

from profiler.commands.vm import fetch as find_kernels
from profiler.errors import UserError
from tests import kernel_page
from tests.kernel.verdicts import Verdict, parse

PAGE = Path(__file__).parent.parent / "docs" / "kernels.md"

_VERDICTS = (
    "test_ways.py",
    "test_verdict.py",
    "test_check.py::test_what_the_kernel_was_not_built_to_do_is_a_violation",
)
_COUNTS = (*_VERDICTS, "test_exact.py", "test_hugetlb.py")
_ALL = (*_COUNTS, "swap")
_SECONDS = 3000
TWO_NODES = ("--append=numa=fake=2", "--append=numa_balancing=disable")
"""Pages can be moved between them; balancing would take away rights, and so raise faults of its own."""


@dataclass(frozen=True)
class Tested:
    """What must hold on a kernel: the ways and modes that it has, and what it does with fault-around."""

    name: str
    ways: str
    modes: str
    policy: str
    tests: tuple[str, ...] = _ALL

    def command(self, verdicts_only: bool = False, whole: bool = False) -> list[str]:
        """What runs its tests; of them only those that the page is made from, or all cases of each."""
        variables = {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # to import those takes a minute there
            "UFFD_THROWAWAY": "1",
            "UFFD_TELL_VERDICTS": "1",
            "UFFD_EXPECT_WAYS": self.ways,
            "UFFD_EXPECT_MODES": self.modes,
            "UFFD_EXPECT_POLICY": self.policy,
        }
        if not whole:
            variables["UFFD_FEWER_CASES"] = "1"
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "faulthandler_timeout=300",
        ]
        return [
            *(
                sys.executable,
                "-m",
                "profiler",
                "vm",
                "--kernel",
                self.name,
                "--timeout",
                str(_SECONDS),
                "--repeatable",
                *TWO_NODES,
                "--",
            ),
            *("env", *(f"{name}={value}" for name, value in variables.items())),
            *(*pytest, *(f"tests/kernel/{test}" for test in (_VERDICTS if verdicts_only else self.tests))),
        ]


_ALL_MODES = "missing,wp,minor"
KERNELS = (
    # Before 5.13 and 5.19 shared memory knows neither MINOR nor WP, and nothing was gated.
    Tested("debian:5.10", "fentry,kprobe,tracepoint", "missing", "ungated"),
    # Where `make test` runs all of tests/kernel: here for the page alone.
    Tested("debian:6.1", "fentry,kprobe,tracepoint", _ALL_MODES, "mainline", _VERDICTS),
    Tested("debian:6.12", "fentry,kprobe,tracepoint", _ALL_MODES, "mainline"),
    # Lazy preemption: fentry programs would not be exact (profiler/kernel/abilities.py).
    Tested("debian:sid", "kprobe,tracepoint", _ALL_MODES, "mainline"),
    Tested("lab:mainline", "fentry,kprobe,tracepoint", _ALL_MODES, "mainline"),
    # What handles swap entries is the same source as mainline's.
    Tested("lab:seed", "fentry,kprobe,tracepoint", _ALL_MODES, "seed", _COUNTS),
    Tested("lab:ungated", "fentry,kprobe,tracepoint", _ALL_MODES, "ungated", _COUNTS),
)
"""In the order of the page."""

_LAB = {
    "the lab": [
        *(sys.executable, "-m", "pytest", "-q", "tests/lab/test_built.py", "tests/lab/test_experiment.py")
    ]
}
"""What is tested of the built kernels from outside, in many short VMs: first, since it takes longest."""


@dataclass(frozen=True)
class Ran:
    """The tests of one kernel: exit code, output, seconds, and the verdicts that they found."""

    code: int
    output: str
    seconds: float
    verdicts: list[Verdict]


def run(command: Sequence[str]) -> Ran:
    """Run tests, and take the verdicts out of what they say."""
    begun = time.monotonic()
    done = subprocess.run(command, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    lines, verdicts = [], []
    for text in done.stdout.splitlines():
        verdict = parse(text)
        if verdict:
            verdicts.append(verdict)
        else:
            lines.append(text)
    return Ran(done.returncode, "\n".join(lines), time.monotonic() - begun, verdicts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests of all kernels, or of those named; the exit code is 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("names", nargs="*", metavar="KERNEL")
    args = parser.parse_args(arguments)
    wanted = [kernel for kernel in KERNELS if not args.names or kernel.name in args.names]
    try:
        find_kernels([kernel.name for kernel in wanted])
    except UserError as error:  # the others go on, and what is not there fails by itself
        print(error, file=sys.stderr)
    commands = {kernel.name: kernel.command(args.renew, args.whole) for kernel in wanted}
    if not args.names and not args.renew:
        commands = _LAB | commands
    failed = []
    found: dict[str, list[Verdict]] = {}
    # A guest keeps one CPU busy: tests run one after the other.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, ran in zip(commands, pool.map(run, commands.values()), strict=True):
            print(f"== {name}\n{ran.output}", flush=True)
            print(f"== {name}: exit code {ran.code} after {ran.seconds:.0f} s", flush=True)
            found[name] = ran.verdicts
            if ran.code:
                failed.append(name)
    if failed or not wanted:
        print("failed on " + (", ".join(failed) or "no kernel of that name"), file=sys.stderr)
        return 1
    if args.names:
        return 0
    return _page(kernel_page.render({kernel.name: found[kernel.name] for kernel in wanted}), args.renew)


def _page(page: str, renew: bool) -> int:
    if renew:
        PAGE.write_text(page)
    elif PAGE.read_text() != page:
        print(f"{PAGE} is not what was found: renew it by `make kernels-page`:\n{page}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
