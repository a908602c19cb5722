# SPDX-License-Identifier: GPL-2.0-only
"""The unprivileged side: start the attaching child, take over, drop every privilege, read."""

import ctypes as ct
import errno
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from ..errors import Exit, UserError
from ..kernel import abilities
from ..profile import KernelFacts
from ..reader import Reader
from ..snapshot import Snapshot
from . import handover
from .planner import Plan
from .program import WAITING_ROWS
from .request import Request

NOBODY = 65534
_PR_SET_NO_NEW_PRIVS = 38


class Session:
    """Everything attached, from construction to :meth:`close`.

    :raises UserError: when nothing can be attached.
    """

    def __init__(self, request: Request) -> None:
        handed = _run_attacher(request)
        facts = handed.facts
        self.plan = Plan.from_json(facts["plan"])
        uname = os.uname()
        self.kernel = KernelFacts(
            uname.release, uname.machine, facts["fault_around_bytes"], facts["minor_flag"]
        )
        (slots_fd,), (waiting_fd,) = handed.fds["slots"], handed.fds["waiting"]
        self._reader = Reader(slots_fd, waiting_fd, facts["cpus"], WAITING_ROWS)
        os.close(slots_fd)
        os.close(waiting_fd)
        self._links = handed.fds["links"]
        self._programs = handed.fds["programs"]
        # Opened now: once the privileges are dropped, /proc/self belongs to root.
        self._program_info: list[tuple[str, TextIO]] = [
            (name, open(f"/proc/self/fdinfo/{fd}"))  # noqa: SIM115
            for name, fd in zip(facts["programs"], self._programs, strict=True)
        ]
        self._baseline = self._reader.read(self._recursion_misses())

    def snapshot(self) -> Snapshot:
        """Figures since the session began."""
        return self._reader.read(self._recursion_misses()) - self._baseline

    def _recursion_misses(self) -> dict[str, int | None]:
        # kernel/bpf/syscall.c: bpf_prog_show_fdinfo
        found: dict[str, int | None] = {}
        for name, info in self._program_info:
            info.seek(0)
            lines = dict(line.split(":", 1) for line in info.read().splitlines() if ":" in line)
            found[name] = int(lines["recursion_misses"]) if "recursion_misses" in lines else None
        return found

    def close(self) -> None:
        """Detach everything."""
        for _, info in self._program_info:
            info.close()
        for fd in (*self._links, *self._programs):
            os.close(fd)
        self._program_info, self._links, self._programs = [], [], []
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def drop_privileges() -> None:
    """Become nobody: no capability, no group, no way back. Harmless when there is nothing to drop."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    ct.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _run_attacher(request: Request) -> handover.Handover:
    _require_root()
    missing = bcc_missing()
    if missing:
        raise UserError(
            f"Cannot attach: {missing}; install Debian's python3-bpfcc and make the virtual environment "
            "with --system-site-packages (`make install` does both).",
            Exit.CANNOT_ATTACH,
        )
    _require_bpf()
    _require_open_files()
    ours, theirs = socket.socketpair()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            ours.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            from . import attacher  # and with it all that only the child needs

            attacher.serve(request, theirs)
            code = 0
        except BrokenPipeError:
            pass
        except (ImportError, OSError) as error:
            # Of this machine's making, such as a BCC whose library is gone: no traceback.
            handover.send(theirs, handover.Handover(_failure(error), {}))
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    theirs.close()
    try:
        handed = handover.receive(ours)
    except EOFError:
        _, status = os.waitpid(pid, 0)
        raise UserError(
            f"The attaching child died before it had attached anything "
            f"({_describe(status)}); run `uffd-profiler doctor` to see what this kernel allows.",
            Exit.CANNOT_ATTACH,
        ) from None
    except OSError as error:
        os.waitpid(pid, 0)
        failure = _failure(error)
        raise UserError(failure["error"], failure["code"]) from error
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        ours.close()
    os.waitpid(pid, 0)
    if "error" in handed.facts:
        raise UserError(handed.facts["error"], handed.facts["code"])
    return handed


def _failure(error: Exception) -> dict[str, Any]:
    advice = "run `uffd-profiler doctor` to see what this machine lacks."
    if isinstance(error, ImportError):
        advice = "reinstall Debian's python3-bpfcc."
    return {"error": f"Cannot attach: {error}; {advice}", "code": Exit.CANNOT_ATTACH}


def _require_bpf() -> None:
    refused = abilities.try_bpf()
    if not refused:
        return
    if refused == errno.ENOSYS:
        raise UserError(
            "This kernel has no system call bpf(2); boot one built with CONFIG_BPF_SYSCALL.",
            Exit.CANNOT_ATTACH,
        )
    name = errno.errorcode.get(refused, refused)
    raise UserError(
        f"The kernel refuses bpf(2) ({name}); it takes CAP_BPF and CAP_PERFMON, which root has unless a "
        "container or a seccomp filter takes them away: run `uffd-profiler doctor` to see what is lacking.",
        Exit.CANNOT_ATTACH,
    )


def _require_open_files() -> None:
    """As many as are allowed; what runs already, such as the command, keeps its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = open_files_needed()
    if hard < needed:
        raise UserError(
            f"This process may open {hard} files and needs {needed}; raise the limit: `ulimit -n {needed}`.",
            Exit.CANNOT_ATTACH,
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))


def open_files_needed() -> int:
    """Descriptors for programs, maps and links; software events take two on each CPU."""
    return 2 * len(abilities.online_cpus()) + 128


def _describe(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _require_root() -> None:
    if os.geteuid() != 0:
        raise UserError(
            "Attaching to the kernel needs root; run the same command with sudo.", Exit.CANNOT_ATTACH
        )


def bcc_missing() -> str | None:
    """Why BCC cannot be imported here; ``None`` if its package is in place (it is not imported)."""
    from importlib.util import find_spec

    if find_spec("bcc") is None:
        return "the Python module bcc is not importable"
    return None if Path("/proc/sys/kernel").exists() else "/proc is not mounted"
