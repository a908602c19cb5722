# SPDX-License-Identifier: GPL-2.0-only
"""What a user or a machine can do wrong: one sentence, a documented exit code, and nothing left behind.

Every case runs the installed command; the machine's BPF objects are compared before and after.
"""

import ctypes as ct
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from profiler.errors import Exit
from profiler.target import NOT_EXECUTABLE, NOT_FOUND
from tests.bpf_objects import ids, leftovers, settled

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaches to the kernel: run as root"),
]

BIN = Path(sys.executable).parent
TOOL = BIN / "uffd-profiler"
ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
REPORTED = "hooks:"
"""Stands in every text report."""


@pytest.fixture(autouse=True)
def nothing_left_attached() -> Iterator[None]:
    before = ids()
    yield
    assert settled(before), leftovers(before)


def run(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    return execute([TOOL, *arguments], **options)


def execute(argv: Sequence[object], **options: object) -> "subprocess.CompletedProcess[str]":
    # Buffered output, as users have it: what fails may fail as late as at the end of the interpreter.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    defaults = {
        "env": environment,
        "capture_output": True,
        "timeout": 60,
        "text": True,
        "cwd": ROOT,
        "check": False,
    }
    if "stdout" in options or "stderr" in options:
        del defaults["capture_output"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([str(part) for part in argv], **(defaults | options))  # type: ignore[call-overload,no-any-return]


def sentence(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a failure consists of."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("uffd-profiler")
    assert lines[0].endswith(".")
    assert "Traceback" not in done.stderr
    return lines[0]


def python(source: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """The command in an interpreter that something was done to before."""
    end = "import sys; from profiler.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return execute([BIN / "python", "-c", f"{source}\n{end}", *arguments], **options)


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("nonesuch",), "'nonesuch'"),
        (("--nonesuch",), "COMMAND"),
        (("profile", "--nonesuch"), "--nonesuch"),
        (("profile", "--nonesuch", "--", "true"), "--nonesuch"),
        (("doctor", "extra"), "extra"),
        (("doctor", "--best-way", "magic"), "'magic'"),
        (("check", "--policy", "nonesuch"), "'nonesuch'"),
        (("check", "--policy", "missing=maybe"), "missing=maybe"),
        (("profile", "--json"), "--json"),
        *(
            (("profile", option, value), f"'{value}'")
            for option in ("-d", "--interval")
            for value in ("0", "-1", "nan", "inf", "1e10", "abc", "")
        ),
        (("profile", "-p", "abc"), "'abc'"),
        (("profile", "-p", "1.5"), "'1.5'"),
        (("profile", "-p", ""), "''"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], named: str) -> None:
    done = run(*arguments)
    said = sentence(done, Exit.USAGE)
    assert named in said
    assert "--help`" in said
    assert done.stdout == ""


@pytest.mark.parametrize("pid", [0, -1, -4711, 1 << 22, (1 << 31) - 1, 1 << 31, 1 << 70])
def test_a_process_that_does_not_exist(pid: int) -> None:
    said = sentence(run("profile", "-p", pid), Exit.USAGE)
    assert f"PID {pid} " in said
    assert "`ps`" in said


def test_one_of_several_processes_does_not_exist() -> None:
    assert "PID 0 " in sentence(run("profile", "-p", os.getpid(), "-p", 0), Exit.USAGE)


def test_a_process_and_a_command() -> None:
    said = sentence(run("profile", "-p", os.getpid(), "--", "true"), Exit.USAGE)
    assert "-p" in said
    assert "COMMAND" in said


def test_both_reports_to_standard_output() -> None:
    said = sentence(run("profile", "--json", "-", "--html", "-", "--", "true"), Exit.USAGE)
    assert "--json" in said
    assert "--html" in said


def test_both_reports_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "both"
    said = sentence(run("profile", "--json", path, "--html", path, "--force", "--", "true"), Exit.USAGE)
    assert str(path) in said
    assert not path.exists()


# The command


def test_a_command_that_is_not_there() -> None:
    assert "'no-such-command'" in sentence(run("profile", "--", "no-such-command"), NOT_FOUND)


def test_a_command_that_may_not_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert str(script) in sentence(run("profile", "--", script), NOT_EXECUTABLE)
    assert str(tmp_path) in sentence(run("profile", "--", tmp_path), NOT_EXECUTABLE)


def test_a_command_that_the_kernel_cannot_execute(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x7fELFgarbage")
    script.chmod(0o755)
    output = tmp_path / "out.json"
    said = sentence(run("profile", "--json", output, "--", script), NOT_EXECUTABLE)
    assert str(script) in said
    assert "Exec format error" in said
    assert not output.exists()


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_the_exit_code_of_the_command_is_ours_and_reported(script: str, code: int) -> None:
    done = run("profile", "--", "sh", "-c", script)
    assert done.returncode == code
    assert done.stderr == ""
    assert REPORTED in done.stdout.lower()
    if code:
        assert str(code) in done.stdout.split("\n\n")[0]


def test_what_the_command_writes_stays_its_own() -> None:
    done = run("profile", "--json", "-", "--", "sh", "-c", "echo out >&2")
    assert done.stderr == "out\n"
    assert done.stdout.startswith("{")


# Processes that end


def test_a_process_that_dies_during_the_run() -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        profiler = start("profile", "-p", victim.pid)
        until_attached(profiler)
        victim.kill()
        victim.wait()
        said, errors = profiler.communicate(timeout=30)
    assert profiler.returncode == Exit.OK
    assert errors == ""
    assert str(victim.pid) in said
    assert REPORTED in said.lower()


def start(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    pipes: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    argv = [str(part) for part in (TOOL, *arguments)]
    return subprocess.Popen(argv, text=True, cwd=ROOT, **(pipes | options))  # type: ignore[call-overload,no-any-return]


def uid(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    raise AssertionError


def until_attached(profiler: "subprocess.Popen[str]") -> None:
    """It gives its privileges up once it is attached."""
    deadline = time.monotonic() + 30
    while uid(profiler.pid) != NOBODY:
        assert profiler.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)


# Ending early


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [(), ("-d", "60"), ("-p", str(os.getpid()))])
def test_a_signal_ends_early_and_reports(number: signal.Signals, arguments: tuple[str, ...]) -> None:
    profiler = start("profile", *arguments)
    until_attached(profiler)
    began = time.monotonic()
    profiler.send_signal(number)
    said, errors = profiler.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert (profiler.returncode, errors) == (Exit.OK, "")
    assert REPORTED in said.lower()


def test_a_terminals_ctrl_c_reaches_the_command_too() -> None:
    profiler = start("profile", "--", "sleep", "60", start_new_session=True)
    until_attached(profiler)
    os.killpg(profiler.pid, signal.SIGINT)
    said, errors = profiler.communicate(timeout=30)
    assert (profiler.returncode, errors) == (128 + signal.SIGINT, "")
    assert REPORTED in said.lower()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.5])
def test_a_signal_while_attaching(tmp_path: Path, number: signal.Signals, delay: float) -> None:
    """Either nothing was measured yet, and nothing stays; or the report is made."""
    made, output = tmp_path / "made", tmp_path / "out.json"
    profiler = start("profile", "--json", output, "--", "sh", "-c", f"touch {made}; sleep 1")
    deadline = time.monotonic() + 10
    while not output.exists():  # it is opened first of all
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(delay)
    profiler.send_signal(number)
    _, errors = profiler.communicate(timeout=30)
    assert "Traceback" not in errors
    if made.exists():
        assert profiler.returncode == Exit.OK
        assert output.read_text().startswith("{")
    else:
        assert profiler.returncode in (128 + number, Exit.OK)
        assert profiler.returncode == Exit.OK or not output.exists()


def test_a_killed_profiler_leaves_nothing(tmp_path: Path) -> None:
    profiler = start("profile", "-d", "60", start_new_session=True)
    until_attached(profiler)
    assert any(ids().values())
    profiler.kill()
    profiler.communicate(timeout=30)


# Outputs


def test_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    for option in ("--json", "--html"):
        said = sentence(run("profile", option, path, "--", "true"), Exit.OUTPUT)
        assert str(path) in said
        assert "--force" in said
        assert path.read_text() == "old"
    said = sentence(run("check", "--json", path), Exit.OUTPUT)
    assert str(path) in said
    assert path.read_text() == "old"


def test_force_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old" * 1_000_000)
    done = run("profile", "--json", path, "--force", "--", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text().rstrip().endswith("}")
    assert path.stat().st_size < 1_000_000


def test_a_run_that_fails_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    arguments = ("--force", "--json", old, "--html", new, "--", "no-such-command")
    sentence(run("profile", *arguments), NOT_FOUND)
    assert old.read_text() == "old"
    assert not new.exists()


@pytest.mark.parametrize("path", ["/no/such/folder/file", "/proc/file", ""])
def test_a_file_that_cannot_be_made(path: str) -> None:
    assert path in sentence(run("profile", "--json", path, "--", "true"), Exit.OUTPUT)
    assert path in sentence(run("check", "--json", path), Exit.OUTPUT)


def test_the_first_file_is_gone_when_the_second_cannot_be_made(tmp_path: Path) -> None:
    first = tmp_path / "first"
    sentence(run("profile", "--json", first, "--html", "/no/such/folder/file", "--", "true"), Exit.OUTPUT)
    assert not first.exists()


def test_a_full_disk() -> None:
    said = sentence(run("profile", "--json", "/dev/full", "--force", "--", "true"), Exit.OUTPUT)
    assert "/dev/full" in said
    assert "No space left" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("profile", "--", "true"),
        ("profile", "--json", "-", "--", "true"),
        ("profile", "--html", "-", "--", "true"),
        ("doctor",),
        ("--help",),
        ("profile", "--help"),
        ("--version",),
    ],
    ids=" ".join,
)
class TestStandardOutput:
    def test_on_a_full_disk(self, arguments: tuple[str, ...]) -> None:
        with open("/dev/full", "w") as full:
            said = sentence(run(*arguments, stdout=full), Exit.OUTPUT)
        assert "standard output" in said
        assert "No space left" in said

    def test_whose_reader_went_away(self, arguments: tuple[str, ...]) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            done = run(*arguments, stdout=pipe)
        assert done.stderr == ""
        assert done.returncode == Exit.OUTPUT

    def test_that_is_read_in_part(self, arguments: tuple[str, ...]) -> None:
        quoted = " ".join(map(str, arguments))
        done = execute(["bash", "-c", f"{TOOL} {quoted} | head -c1; echo ${{PIPESTATUS[0]}} >&2"])
        assert len(done.stdout) == 1
        # Small output is in the pipe before its reader is gone.
        assert done.stderr in ("0\n", f"{int(Exit.OUTPUT)}\n")

    def test_that_is_closed(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        done = execute(["sh", "-c", 'exec "$@" >&-', "sh", TOOL, *arguments])
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, Exit.OUTPUT)
        if arguments[0] == "profile" and "--help" not in arguments:
            assert "standard output" in sentence(done, Exit.OUTPUT)


def test_all_standard_descriptors_closed(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    script = 'exec "$@" <&- >&- 2>&-'
    done = execute(
        ["sh", "-c", script, "sh", TOOL, "profile", "--json", path, "--", "sh", "-c", "echo x; echo y >&2"]
    )
    # The text report has no place to go.
    assert done.returncode == Exit.OUTPUT
    assert path.read_text().startswith("{")
    assert path.read_text().rstrip().endswith("}")


# The user and the machine


def test_not_root(tmp_path: Path) -> None:
    # Others may not be able to come to the virtual environment: so only then is the user changed.
    source = f"import os; from profiler.__main__ import main; os.setgroups([]); os.setresuid(*[{NOBODY}] * 3)"
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


def test_bcc_is_broken() -> None:
    said = sentence(python(BROKEN_BCC, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "libbcc.so.0" in said
    assert "doctor" in said


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
attacher.serve = lambda request, channel: os.kill(os.getpid(), signal.SIGKILL)
"""
    said = sentence(python(source, "profile", "--", "true"), Exit.CANNOT_ATTACH)
    assert "SIGKILL" in said
