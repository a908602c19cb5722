# SPDX-License-Identifier: GPL-2.0-only
"""What a user or a machine may lack: one sentence, a documented exit code, and nothing left behind."""

import ctypes as ct
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import Exit
from tests.cli.tool import (
    NOBODY,
    REPORTED,
    TOOL,
    execute,
    python,
    run,
    sentence,
)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaches to the kernel: run as root"),
]

# The user and the machine


def test_not_root(tmp_path: Path) -> None:
    # Others may not be able to come to the virtual environment: so only then is the user changed.
    everything = "import os; from profiler.__main__ import main, parser; parser([])"
    source = f"{everything}; os.setgroups([]); os.setresuid(*[{NOBODY}] * 3)"
    for arguments in (("profile", "--", "true"), ("profile", "-d", "1")):
        said = sentence(python(source, *arguments), Exit.CANNOT_ATTACH)
        assert "root" in said
        assert "sudo" in said
    done = python(source, "doctor")
    assert done.returncode == Exit.CANNOT_TELL
    assert "Traceback" not in done.stderr
    assert f"uid {NOBODY}" in done.stdout


HIDE_BCC = "import sys; sys.modules['bcc'] = None"
BROKEN_BCC = """
import sys, importlib.abc, importlib.machinery
class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "bcc" else None
    def exec_module(self, module):
        raise OSError("libbcc.so.0: cannot open shared object file: No such file or directory")
sys.meta_path.insert(0, Broken())
"""


def test_bcc_is_not_installed() -> None:
    said = sentence(python(HIDE_BCC, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "bcc is not importable" in said
    assert "python3-bpfcc" in said
    done = python(HIDE_BCC, "doctor")
    assert done.returncode == Exit.CANNOT_TELL
    assert "python3-bpfcc" in done.stdout
    assert done.stderr == ""


NOTHING_KEPT = "from profiler.hooks import kept; kept.FOLDERS = ()\n"


def test_bcc_is_broken() -> None:
    """Only who has to compile needs it."""
    said = sentence(python(NOTHING_KEPT + BROKEN_BCC, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "libbcc.so.0" in said
    assert "doctor" in said
    assert run("profile", "--", "true").returncode == Exit.OK
    assert python(BROKEN_BCC, "profile", "--", "true").returncode == Exit.OK


PR_CAPBSET_DROP, SECURE_NO_NEW_PRIVS = 24, 38


def without_capabilities() -> None:
    """As in a container: root, but with an empty bounding set."""
    libc = ct.CDLL(None)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def seccomp(error: int) -> Callable[[], None]:
    """bpf(2) fails with ``error``: as a kernel without it (ENOSYS), or under lockdown (EPERM)."""

    def install() -> None:
        import struct

        # struct sock_filter: load nr; if it is bpf (321): return SECCOMP_RET_ERRNO, else SECCOMP_RET_ALLOW
        code = [
            (0x20, 0, 0, 0),
            (0x15, 0, 1, 321),
            (0x06, 0, 0, 0x00050000 | error),
            (0x06, 0, 0, 0x7FFF0000),
        ]
        program = ct.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
        fprog = ct.create_string_buffer(struct.pack("<HxxxxxxQ", len(code), ct.addressof(program)))
        libc = ct.CDLL(None)
        libc.prctl(SECURE_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.prctl(22, 2, ct.byref(fprog), 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            os._exit(99)

    return install


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (without_capabilities, ("EPERM", "CAP_BPF", "doctor")),
        (seccomp(1), ("EPERM", "seccomp", "doctor")),
        (seccomp(38), ("bpf(2)", "CONFIG_BPF_SYSCALL")),
    ],
    ids=["no capabilities", "EPERM", "ENOSYS"],
)
def test_the_kernel_refuses_bpf(tmp_path: Path, prepare: Callable[[], None], words: tuple[str, ...]) -> None:
    made = tmp_path / "made"
    done = run("profile", "--", "touch", made, preexec_fn=prepare)
    said = sentence(done, Exit.CANNOT_ATTACH)
    assert all(word in said for word in words)
    assert not made.exists()
    assert sentence(run("check", preexec_fn=prepare), Exit.CANNOT_ATTACH) == said
    doctor = run("doctor", preexec_fn=prepare)
    assert doctor.returncode == Exit.CANNOT_TELL
    assert doctor.stderr == ""
    assert said.removeprefix("uffd-profiler: ") in doctor.stdout


def test_a_small_limit_of_open_files() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    said = sentence(run("profile", "--", "true", preexec_fn=limit), Exit.CANNOT_ATTACH)
    assert "20 files" in said
    assert "ulimit -n" in said


def test_a_small_limit_that_may_be_raised_is_and_not_for_the_command() -> None:
    def limit() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard))

    done = run("profile", "--", "sh", "-c", "ulimit -Sn >&2", preexec_fn=limit)
    assert (done.returncode, done.stderr) == (0, "20\n")
    assert REPORTED in done.stdout.lower()


def test_tracefs_is_not_needed() -> None:
    """On a machine that has it mounted it is taken away first, in a mount namespace of the test's own."""
    script = (
        "umount -l /sys/kernel/tracing 2>/dev/null; umount -l /sys/kernel/debug 2>/dev/null; "
        'test -z "$(ls /sys/kernel/tracing)" || exit 99; exec "$@"'
    )
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", TOOL, "profile", "--", "true"]
    done = execute(argv)
    assert (done.returncode, done.stderr) == (0, "")
    assert REPORTED in done.stdout.lower()


def without_tracepoints(*names: str) -> str:
    return f"""
from profiler.kernel.btf import Btf
has = Btf.has_tracepoint
Btf.has_tracepoint = lambda self, name: name not in {names!r} and has(self, name)
"""


def test_no_tracepoint_of_that_name() -> None:
    """A vital one is missed in a sentence; without another the report says what it lacks."""
    said = sentence(
        python(without_tracepoints("sched_process_exit"), "profile", "--", "true"), Exit.CANNOT_ATTACH
    )
    assert "no tracepoint sched_process_exit" in said
    assert "doctor" in said
    way = ("--best-way", "tracepoint")
    done = python(without_tracepoints("mm_filemap_map_pages"), "profile", *way, "--", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no tracepoint mm_filemap_map_pages" in " ".join(done.stdout.split())
    done = python(without_tracepoints("mm_filemap_map_pages"), "doctor", *way)
    assert done.returncode == Exit.CANNOT_TELL
    assert "no tracepoint mm_filemap_map_pages" in done.stdout


def test_a_tracepoint_that_the_kernel_refuses() -> None:
    """BTF says that it is there, and it is not."""
    source = """
from dataclasses import replace
from profiler.hooks import catalogue, planner
from profiler.kernel.btf import Btf
has = Btf.has_tracepoint
Btf.has_tracepoint = lambda self, name: True
hooks = []
for hook in catalogue.HOOKS:
    if hook.name == "process":
        bad = tuple(replace(a, target="no_such_tracepoint") for a in hook.ways[0].attachments)
        hook = replace(hook, ways=(replace(hook.ways[0], attachments=bad),))
    hooks.append(hook)
planner.HOOKS = tuple(hooks)
"""
    said = sentence(python(source, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "no_such_tracepoint" in said


def test_no_btf() -> None:
    source = """
import errno
from profiler.hooks import attacher
def none():
    raise OSError(errno.ENOENT, "no BTF: /sys/kernel/btf/vmlinux cannot be read")
attacher.Btf = none
"""
    said = sentence(python(source, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "CONFIG_DEBUG_INFO_BTF" in said


def test_the_attaching_child_is_killed() -> None:
    source = """
import os, signal
from profiler.hooks import attacher
attacher.serve = lambda request, channel, parent: os.kill(os.getpid(), signal.SIGKILL)
"""
    said = sentence(python(source, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "SIGKILL" in said


def test_userfaultfd_is_refused() -> None:
    """As by a container's seccomp filter: MINOR regions would be counted as unregistered ones."""
    source = """
from profiler.kernel import userfaultfd
def refused():
    raise PermissionError(1, "Operation not permitted")
userfaultfd.open_for_user_mode = refused
"""
    said = sentence(python(source, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "userfaultfd(2)" in said
    assert "seccomp" in said


def test_root_that_cannot_become_nobody() -> None:
    drop = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    said = sentence(execute([*drop, TOOL, "profile", "-d", "1"]), Exit.CANNOT_ATTACH)
    assert "CAP_SETUID" in said
