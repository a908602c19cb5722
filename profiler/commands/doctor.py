# SPDX-License-Identifier: GPL-2.0-only
"""What this kernel and this user can do, hook by hook, and what to do about each lack.

Attaches everything for real and detaches it again, so what it says is what `profile` would get.
Exit code 0 if the fault-around question can be answered here, 3 if not.
"""

import argparse
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import Exit, UserError
from ..hooks.attaching import bcc_missing, open_files_needed
from ..hooks.catalogue import WAYS
from ..hooks.planner import BY_TRACEPOINTS, Plan
from ..hooks.request import Request
from ..hooks.session import Session
from ..kernel import abilities, settings, userfaultfd
from ..kernel.btf import Btf
from ..output import write_stdout

NAME = "doctor"
HELP = "say what this kernel and this user can do, and what to do about each lack"

State = Literal["ok", "note", "lack"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do if it is a lack."""

    subject: str
    state: State
    found: str
    advice: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--best-way", choices=WAYS, default=WAYS[0], help="take no better way to any hook than this one"
    )


def run(args: argparse.Namespace) -> int:
    """Print the findings and the plan."""
    settings_seen = _in_child()
    findings = [*_user(), *_kernel(), *settings_seen]
    plan: Plan | None = None
    refusal = ""
    try:
        with Session(Request(best_way=args.best_way)) as session:
            plan = session.plan
    except UserError as error:
        refusal = str(error)
    answerable, why = _answerable(plan, findings)
    write_stdout("\n".join(_lines(findings, plan, refusal, why)) + "\n")
    return Exit.OK if answerable else Exit.CANNOT_TELL


def _lines(findings: list[Finding], plan: Plan | None, refusal: str, why: str) -> Iterator[str]:
    uname = os.uname()
    yield f"kernel {uname.release} {uname.machine}"
    yield ""
    for finding in findings:
        yield f"{finding.state:>5}  {finding.subject:<22} {finding.found}"
        if finding.advice:
            yield f"{'':>7}{'':<23}→ {finding.advice}"
    yield ""
    if plan is None:
        yield f"No hook could be attached: {refusal}"
    else:
        yield from _hooks(plan)
    yield ""
    question = "Whether fault-around is skipped in userfaultfd regions"
    yield (
        f"{question} cannot be told here: {why}."
        if why
        else (f"{question} can be answered here: `uffd-profiler check` does it.")
    )


def _user() -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding("user", "ok", "root")
    else:
        yield Finding("user", "lack", f"uid {os.geteuid()}", "run the same command with sudo")
    yield _capabilities(_effective())
    lack = bcc_missing()
    if lack:
        yield Finding("bcc", "lack", lack, "install Debian's python3-bpfcc; `make install` does")
    else:
        yield Finding("bcc", "ok", "importable")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < open_files_needed():
        yield Finding("open files", "lack", f"limit {hard}", "raise it: ulimit -n 4096")


# include/uapi/linux/capability.h
_SYS_ADMIN, _SYSLOG = 21, 34
_IN_SYS_ADMIN = {"CAP_PERFMON": 38, "CAP_BPF": 39}
"""Each is part of CAP_SYS_ADMIN: perfmon_capable(), bpf_capable()."""


def _capabilities(effective: int) -> Finding:
    def has(bit: int) -> bool:
        return bool(effective >> bit & 1)

    missing = [name for name, bit in _IN_SYS_ADMIN.items() if not has(bit) and not has(_SYS_ADMIN)]
    missing += ["CAP_SYSLOG"] * (not has(_SYSLOG))
    subject = "capabilities"
    if missing:
        return Finding(subject, "lack", "without " + ", ".join(missing), "add them, or run as root")
    if not has(_SYS_ADMIN):
        what = "enough; without CAP_SYS_ADMIN no figures of what each program costs"
        return Finding(subject, "note", what, "add it, or sysctl kernel.bpf_stats_enabled=1")
    return Finding(subject, "ok", "CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_SYS_ADMIN")


def _effective() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _kernel() -> Iterator[Finding]:
    try:
        btf = Btf()
    except OSError as error:
        yield Finding("BTF", "lack", str(error.strerror), "boot a kernel with CONFIG_DEBUG_INFO_BTF")
    else:
        yield Finding("BTF", "ok", "/sys/kernel/btf/vmlinux")
        why = abilities.exact_fentry(btf)
        yield Finding("fentry", "note" if why else "ok", why or "loads")
        tracepoints = ("page_fault_user", "mm_filemap_map_pages", "rss_stat", "sched_switch")
        lacking = [name for name in tracepoints if not btf.has_tracepoint(name)]
        yield Finding(
            "raw tracepoints",
            "note" if lacking else "ok",
            "without " + ", ".join(lacking) if lacking else "all",
        )
    why = abilities.try_kprobe()
    yield Finding("kprobes", "note" if why else "ok", why or "through the kprobe PMU")
    yield _userfaultfd()


def _userfaultfd() -> Finding:
    subject = "userfaultfd"
    with suppress(OSError):
        os.close(userfaultfd.open_userfaultfd())
        return Finding(subject, "ok", "faults from user and kernel mode")
    try:
        os.close(userfaultfd.open_userfaultfd(user_mode_only=True))
        return Finding(
            subject,
            "note",
            "faults from user mode only",
            "for faults of the kernel itself: root, or sysctl vm.unprivileged_userfaultfd=1",
        )
    except OSError as error:
        return Finding(subject, "lack", str(error.strerror), "boot a kernel with CONFIG_USERFAULTFD")


def _settings() -> list[Finding]:
    settings.private_mounts()
    lockdown = settings.lockdown()
    findings = []
    if lockdown is None:
        findings.append(Finding("lockdown", "note", "unknown: securityfs cannot be read"))
    elif lockdown == "confidentiality":
        findings.append(
            Finding(
                "lockdown",
                "lack",
                "confidentiality: BPF may not read the kernel's memory",
                "boot with lockdown=integrity, or none",
            )
        )
    else:
        findings.append(Finding("lockdown", "ok", lockdown))
    size = settings.fault_around_bytes()
    if size is None:
        findings.append(
            Finding(
                "fault_around_bytes", "note", "unknown: debugfs cannot be read; the positive control decides"
            )
        )
    elif size < 8192:
        findings.append(
            Finding(
                "fault_around_bytes",
                "lack",
                f"{size}: this kernel faults around nothing",
                "echo 65536 > /sys/kernel/debug/fault_around_bytes",
            )
        )
    else:
        findings.append(Finding("fault_around_bytes", "ok", str(size)))
    return findings


def _in_child() -> list[Finding]:
    """Look at private mounts without keeping them in this process."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def body() -> None:
        sender.send(_settings())

    process = context.Process(target=body)
    process.start()
    sender.close()
    try:
        found: list[Finding] = receiver.recv()
    except EOFError:
        found = []
    process.join()
    return found


def _hooks(plan: Plan) -> Iterator[str]:
    width = max(len(hook.name) for hook in plan.hooks)
    for hook in plan.hooks:
        symbol = f" {hook.symbol}" if hook.symbol else ""
        yield f"hook   {hook.name:<{width}}  {hook.way}{symbol}" + (f": {hook.reason}" if hook.reason else "")
        if hook.way != "none":
            # A hook that suits the one beside it, which goes by tracepoints, was not refused anything.
            for way, why in (r for r in hook.refused if r[1] != BY_TRACEPOINTS):
                yield f"       {'':<{width}}  not {way}: {why}"


def _answerable(plan: Plan | None, findings: list[Finding]) -> tuple[bool, str]:
    if plan is None:
        return False, "nothing can be attached"
    for name in ("map_pages", "read_fault"):
        hook = plan.hook(name)
        if hook.way == "none":
            return False, f"the hook {name} has no way ({hook.reason})"
    for finding in findings:
        if finding.subject in ("fault_around_bytes", "userfaultfd") and finding.state == "lack":
            return False, f"{finding.subject}: {finding.found}"
    return True, ""
