# SPDX-License-Identifier: GPL-2.0-only
"""The attaching child, seen from its parent: started, waited for, or given up.

What the child is doing needs nothing of its parent: it may drop every privilege, and serve, meanwhile.
"""

import errno
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import Exit, UserError
from ..kernel import abilities
from . import handover
from .request import Request


class Attaching:
    """A child that compiles, loads and attaches; :meth:`receive` waits for what it hands over.

    :raises UserError: when this process may not attach, or nothing can be attached here.
    """

    def __init__(self, request: Request) -> None:
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
        self._channel, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        parent = os.getpid()
        self._pid: int | None = os.fork()
        if self._pid == 0:
            self._channel.close()
            _attach(request, theirs, parent)
        theirs.close()

    def fileno(self) -> int:
        """Becomes readable when :meth:`receive` has something to receive."""
        return self._channel.fileno()

    def receive(self) -> handover.Handover:
        """What the child hands over; the child is gone then.

        :raises UserError: when it cannot attach, or died.
        """
        try:
            handed = handover.receive(self._channel)
        except EOFError:
            raise UserError(
                f"The attaching child died before it had attached anything "
                f"({_describe(self._reap())}); run `uffd-profiler doctor` to see what this kernel allows.",
                Exit.CANNOT_ATTACH,
            ) from None
        except OSError as error:
            self._reap()
            failure = _failure(error)
            raise UserError(failure["error"], failure["code"]) from error
        except BaseException:
            self.abandon()
            raise
        self._reap()
        if "error" in handed.facts:
            raise UserError(handed.facts["error"], handed.facts["code"])
        return handed

    def abandon(self) -> None:
        """Give the child up, at any stage; harmless when it is gone.

        Once the privileges are dropped it cannot be killed from here; it dies with this process, or as
        soon as it finds that nobody listens.
        """
        self._channel.close()
        if self._pid is None:
            return
        with suppress(PermissionError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._pid = None

    def _reap(self) -> int:
        """Its wait status."""
        self._channel.close()
        pid, self._pid = self._pid, None
        return os.waitpid(pid, 0)[1] if pid else 0


def _attach(request: Request, channel: socket.socket, parent: int) -> None:
    """Body of the child: never returns."""
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        from . import attacher  # and with it all that only the child needs

        attacher.serve(request, channel, parent)
        code = 0
    except BrokenPipeError:
        pass
    except (ImportError, OSError) as error:
        # Of this machine's making, such as a BCC whose library is gone: no traceback.
        handover.send(channel, handover.Handover(_failure(error), {}))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _failure(error: Exception) -> dict[str, Any]:
    advice = "run `uffd-profiler doctor` to see what this machine lacks."
    if isinstance(error, ImportError):
        advice = "reinstall Debian's python3-bpfcc."
    return {"error": f"Cannot attach: {error}; {advice}", "code": Exit.CANNOT_ATTACH}


def _require_bpf() -> None:
    abilities.lift_memlock_limit()
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
