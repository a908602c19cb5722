# SPDX-License-Identifier: GPL-2.0-only
"""One shot: profile everything, some processes, or a command, and print the report.

examples:
  uffd-profiler profile -d 10                 the whole machine, for 10 seconds
  uffd-profiler profile -p 4711               a process and its descendants, until it ends or Ctrl-C
  uffd-profiler profile --html r.html -- ./restore-vm snapshot.bin

The exit code is that of COMMAND where one is given, as a shell has it.
"""

import argparse
import os
import select
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module

from ..errors import Exit, UserError
from ..hooks.catalogue import WAYS
from ..hooks.processes import COUNTED, FOLLOWED
from ..hooks.request import Request
from ..hooks.session import Session, drop_privileges
from ..output import Output, write_stdout
from ..profile import Command, Profile
from ..reports import text
from ..snapshot import Snapshot
from ..target import HeldCommand, watch
from . import uffd_wp_entry

NAME = "profile"
HELP = "profile a live kernel's page-fault path once, and report"


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive number of seconds")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("-d", "--duration", type=_seconds, metavar="SEC", help="end after SEC seconds")
    parser.add_argument(
        "-p", "--pid", type=int, action="append", default=[], help="profile this process tree (repeatable)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the profile as JSON; - for standard output")
    parser.add_argument("--html", metavar="FILE", help="write a self-contained page; - for standard output")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    parser.add_argument("--interval", type=_seconds, metavar="SEC", help="a row every SEC seconds")
    parser.add_argument(
        "--best-way", choices=WAYS, default=WAYS[0], help="take no better way to any hook than this one"
    )
    parser.add_argument(
        "--resolve",
        action="store_true",
        default=None,
        help="time the ioctls that resolve userfaults also by tracepoints, at the cost of every system call",
    )
    uffd_wp_entry.add_option(parser, "--uffd-wp-entry")
    parser.add_argument("command_line", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="what to run")


def run(args: argparse.Namespace) -> int:
    """Profile and report."""
    started = time.monotonic_ns()
    argv = args.command_line[1:] if args.command_line[:1] == ["--"] else args.command_line
    if argv and args.pid:
        raise UserError("Give either -p PID or a COMMAND to profile, not both.")
    if args.json == "-" and args.html == "-":
        raise UserError(
            "Only one of --json and --html can go to standard output; give the other a file name."
        )
    if args.json is not None and args.json == args.html:
        raise UserError(f"--json and --html cannot both be written to {args.json}; give another name.")
    pidfds = watch(args.pid)
    outputs = _open_outputs(args)
    try:
        profile = _profile(args, argv, pidfds, started)
        _write(profile, outputs)
    except BaseException:
        for output in outputs.values():
            output.discard()
        raise
    if profile.command and profile.command.exit_code is not None:
        return profile.command.exit_code
    return Exit.OK


def _profile(args: argparse.Namespace, argv: list[str], pidfds: list[int], started: int) -> Profile:
    command: HeldCommand | None = None
    try:
        command = HeldCommand(argv) if argv else None
        roots = [command.pid] if command else args.pid
        processes = dict.fromkeys(roots, COUNTED | FOLLOWED) or None
        session = Session(Request(processes, args.best_way, args.resolve, uffd_wp_entry=args.uffd_wp_entry))
    except BaseException:
        if command:
            command.abandon()
        raise
    with session:
        attach_ns = time.monotonic_ns() - started
        stop = _Stop()
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if command:
            # Ahead of the drop: if it cannot be executed, the output files can still be removed.
            command.release()
            pidfds = [command.pidfd]
        drop_privileges()
        intervals = _measure(session, pidfds, stop, args)
        total = session.snapshot()
        if command and (_ended(command.pidfd) or stop.requested):
            _wait_briefly(command)
    ran = Command(command.argv, command.exit_code) if command else None
    return Profile(
        started_at, tuple(args.pid), ran, session.kernel, session.plan, total, tuple(intervals), attach_ns
    )


def _open_outputs(args: argparse.Namespace) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    try:
        for kind in ("json", "html"):
            path = getattr(args, kind)
            if path is not None:
                import_module(f"profiler.reports.{kind}")  # while its file can be read
                outputs[kind] = Output(path, args.force)
    except UserError:
        for output in outputs.values():
            output.discard()
        raise
    return outputs


class _Stop:
    """Ctrl-C and SIGTERM end the measurement early, and the report is still made."""

    def __init__(self) -> None:
        self.requested = False
        self.fd, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.requested = True


def _measure(session: Session, pidfds: list[int], stop: _Stop, args: argparse.Namespace) -> list[Snapshot]:
    """Wait for the end; rows of --interval on the way."""
    begin = time.monotonic()
    end = begin + args.duration if args.duration else None
    progress = sys.stderr.isatty()
    step = args.interval or (1.0 if progress else None)
    intervals: list[Snapshot] = []
    previous = session.snapshot()
    since = previous.monotonic_ns - previous.duration_ns
    alive = list(pidfds)
    due = begin + step if step else None
    if args.interval:
        print(text.interval_header(session.plan), file=sys.stderr)
    while not stop.requested:
        now = time.monotonic()
        if end is not None and now >= end:
            break
        if due is not None and now >= due and step:
            snapshot = session.snapshot()
            if args.interval:
                intervals.append(snapshot - previous)
                print(text.render_interval(intervals[-1], session.plan, since), file=sys.stderr)
            else:
                _progress(snapshot)
            previous = snapshot
            due += step
        moments = [moment for moment in (end, due) if moment is not None]
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        readable, _, _ = select.select([*alive, stop.fd], [], [], timeout)
        alive = [fd for fd in alive if fd not in readable]
        if pidfds and not alive:
            break
    if args.interval:
        intervals.append(session.snapshot() - previous)
    if progress and not args.interval:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return intervals


def _progress(snapshot: Snapshot) -> None:
    faults = snapshot.total("page_fault").count
    begun = snapshot.total("userfault_begun").count
    print(
        f"\r\033[K{snapshot.duration_ns / 1e9:.0f} s: {faults} faults, {begun} userfaults, "
        f"{snapshot.waiting_now} waiting; Ctrl-C ends and reports",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _wait_briefly(command: HeldCommand) -> None:
    """The terminal's Ctrl-C has reached the command as well: give it a moment to end."""
    if select.select([command.pidfd], [], [], 2.0)[0]:
        with suppress(ChildProcessError):
            command.reap()


def _write(profile: Profile, outputs: dict[str, Output]) -> None:
    renderers = {kind: import_module(f"profiler.reports.{kind}").render for kind in outputs}
    for kind, output in outputs.items():
        output.write(renderers[kind](profile))
    if not any(output.path == "-" for output in outputs.values()):
        write_stdout(text.render(profile) + "\n")
