# SPDX-License-Identifier: GPL-2.0-only
"""``uffd-profiler vm``: its arguments, and QEMU that is missing or that fails, without a VM."""

import argparse
import os
import threading
import time
from pathlib import Path

import pytest

from profiler.commands import vm
from profiler.errors import Exit, UserError
from profiler.lab import built, initramfs, qemu, requirements
from profiler.lab.image import Kernel
from profiler.lab.vm import HungError, run_in_vm
from tests.unit.test_lab_image import RELEASE, bzimage


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    vm.add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_keeps_its_own_options_and_dashes() -> None:
    args = parse("--cpus", "3", "--", "profile", "--kernel", "x", "--", "sleep", "1")
    assert args.guest_command == ["profile", "--kernel", "x", "--", "sleep", "1"]
    assert (args.kernel, args.cpus, args.memory) == ("debian:6.1", 3, "3G")


@pytest.mark.parametrize(
    "words",
    [
        ["--memory", "3"],
        ["--memory", "0G"],
        ["--memory", "3G,x=y"],
        ["--cpus", "0"],
        ["--cpus", "two"],
        ["--timeout", "0"],
        ["--timeout", "nan"],
        ["--timeout", "soon"],
    ],
)
def test_wrong_values_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(*words, "--", "true")
    assert f"argument {words[0]}: {words[1]!r} is not" in capsys.readouterr().err


def test_no_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--cpus", "2", "--")
    assert "COMMAND" in capsys.readouterr().err


def test_a_path_is_a_kernel_image(tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(bzimage())
    assert vm.find_kernel(str(image)).image == image


def test_what_the_users_kernel_lacks_is_said_and_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(bzimage())
    options = dict.fromkeys([*requirements._TO_BOOT, *requirements._TO_USE], "y") | {"DEBUG_FS": "n"}
    (tmp_path / f"config-{RELEASE}").write_text("".join(f"CONFIG_{k}={v}\n" for k, v in options.items()))
    assert vm.find_kernel(str(image)).image == image
    assert capsys.readouterr().err == (
        f"uffd-profiler vm: kernel {image}: without CONFIG_DEBUG_FS fault_around_bytes cannot be read\n"
    )


def test_what_the_vm_cannot_do_without_is_said_before_it_boots(tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(bzimage())
    (tmp_path / f"config-{RELEASE}").write_text("CONFIG_SMP=y\n")
    with pytest.raises(UserError, match=r"built without CONFIG_64BIT, .*CONFIG_9P_FS; switch them on"):
        vm.find_kernel(str(image))


@pytest.mark.parametrize("code", [Exit.USAGE, Exit.CANNOT_TELL])
def test_kernels_are_fetched_without_a_command_and_one_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: Exit
) -> None:
    """The exit code is the one that ``--kernel`` would give."""
    asked = []

    def make(name: str) -> Kernel:
        asked.append(name)
        if name == "seed":
            raise UserError("no room", code)
        return Kernel(tmp_path, "6.1", None)

    monkeypatch.setattr(built, "built_kernel", make)
    args = parse("--fetch", "lab:seed", "lab:ungated")
    with pytest.raises(UserError, match=r"^no room$") as error:
        vm.run(args)
    assert (asked, error.value.code) == (["seed", "ungated"], code)
    assert vm.run(parse("--fetch", "lab:ungated")) == Exit.OK


def test_fetching_and_running_at_once_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse("--fetch", "lab:seed", "--", "true")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    init = tmp_path / "init"
    init.touch()
    monkeypatch.setattr(initramfs, "init_binary", lambda: init)
    return Kernel(tmp_path / "bzImage", "6.1", None)


def put_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a fake QEMU on PATH: `answers` and `console` are the descriptors it was given."""
    fake = tmp_path / qemu.EXECUTABLE
    find = 'for w; do case "$w" in socket,id=*) n=${w#socket,id=}; eval "${n%%,*}=${w##*=}";; esac; done\n'
    fake.write_text("#!/bin/bash\n" + find + script)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_qemu_missing_is_one_sentence(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install qemu-system-x86"):
        run_in_vm(kernel, ["true"])


ENDS = {
    "qemu": ("echo 'qemu: no memory' >&2; exit 1", "QEMU cannot start the VM: qemu: no memory"),
    "init": (
        "echo 'uffd-profiler-vm: no 9p here' >&$console",
        "the VM cannot run the command: no 9p here",
    ),
    "panic": (
        "printf '[ 1.0] Kernel panic - not syncing: VFS: no root\\r\\n---[ end' >&$console",
        "kernel panicked: VFS: no root; the last lines of its console:\n  .*Kernel panic.*\n  ---",
    ),
    "silent": ("exit 0", "the VM ended before the command did; the last lines of its console: nothing"),
}


@pytest.mark.parametrize(("script", "sentence"), ENDS.values(), ids=ENDS)
def test_a_guest_without_an_answer_is_explained(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    put_qemu(tmp_path, monkeypatch, script)
    with pytest.raises(UserError, match=sentence) as error:
        run_in_vm(kernel, ["true"])
    assert error.value.code == Exit.CANNOT_TELL


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exec sleep 60", "did not get as far as running the command within 0.3 s"),
        (r"printf 'S\3\000\000\0006.1' >&$answers; exec sleep 60", r"did not end within 0.3 s \(--timeout\)"),
    ],
)
def test_time_is_limited_and_qemu_is_gone(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    put_qemu(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; " + script)
    with pytest.raises(UserError, match=sentence):
        run_in_vm(kernel, ["true"], timeout=0.3)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_reader_that_does_not_read_cannot_stop_the_clock(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_qemu(tmp_path, monkeypatch, r"while printf 'O\200\000\000\000%128s' x >&$answers; do :; done")
    reader, writer = os.pipe()
    try:
        with pytest.raises(UserError, match=r"within 0\.5 s"):
            run_in_vm(kernel, ["true"], timeout=0.5, stdout=writer)
    finally:
        os.close(reader)
        os.close(writer)


def test_streams_and_exit_code_come_back(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    frames = r"S\3\000\000\0006.1O\3\000\000\000a\r\nE\1\000\000\000\377X\1\000\000\000\7"
    put_qemu(tmp_path, monkeypatch, f"printf '{frames}' >&$answers; exec sleep 60")
    assert run_in_vm(kernel, ["true"]) == 7
    assert capfdbinary.readouterr() == (b"a\r\n", b"\xff")


PANICS = "printf 'Kernel panic - not syncing: int3\\n' >&$console"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("exec sleep 60", "did not get as far as running the command within 0.5 s"),
        (f"{PANICS}; exit 0", "kernel panicked: int3"),
    ],
)
def test_a_guest_that_does_not_boot_is_started_once_more(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, sentence: str
) -> None:
    frames = r"S\3\000\000\0006.1X\1\000\000\000\7"
    works = f"printf '{frames}' >&$answers; exec sleep 60"
    once = f"test -e {tmp_path}/broken || {{ touch {tmp_path}/broken; {broken}; }}; "
    put_qemu(tmp_path, monkeypatch, once + works)
    told: list[str] = []
    assert run_in_vm(kernel, ["true"], boot_seconds=0.5, again=told.append) == 7
    (why,) = told
    assert sentence in why


def test_a_panic_of_a_guest_that_has_booted_is_its_end(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = r"S\3\000\000\0006.1"
    put_qemu(tmp_path, monkeypatch, f"printf '{frames}' >&$answers; sleep 0.3; {PANICS}")
    told: list[str] = []
    with pytest.raises(UserError, match="kernel panicked: int3"):
        run_in_vm(kernel, ["true"], again=told.append)
    assert told == []


STALL = r"rcu: \t(detected by 1, t=%s jiffies, g=7281, q=12 ncpus=2)\r\n"
STALLS = "printf '" + STALL % 5252 + STALL % 21007 + "' >&$console; exec sleep 60"
STARTED = r"printf 'S\3\000\000\0006.1' >&$answers; "


@pytest.mark.parametrize(("repeatable", "code"), [(True, 7), (False, None)])
def test_a_guest_that_hangs_is_ended_and_what_can_be_repeated_runs_again(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeatable: bool, code: int | None
) -> None:
    once = f"test -e {tmp_path}/hung || {{ touch {tmp_path}/hung; sleep 0.3; {STALLS}; }}; "
    put_qemu(tmp_path, monkeypatch, STARTED + once + r"printf 'X\1\000\000\000\7' >&$answers; exec sleep 60")
    told: list[str] = []
    try:
        assert run_in_vm(kernel, ["true"], again=told.append, repeatable=repeatable) == code
        (why,) = told
    except HungError as error:
        assert code is None
        assert error.code == Exit.CANNOT_TELL
        assert told == []
        why = str(error)
    assert why.startswith("the guest hangs: its kernel reported twice that RCU waits for a CPU")
    assert why.endswith("t=21007 jiffies, g=7281, q=12 ncpus=2)")


@pytest.mark.parametrize(
    ("pause", "times", "hangs"),
    [(0.2, 8, False), (60, 1, True)],
)
@pytest.mark.parametrize("sign", [r"A\0\0\0\0", r"O\1\0\0\0x"])
def test_a_guest_that_falls_silent_hangs(
    kernel: Kernel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    pause: float,
    times: int,
    hangs: bool,
    sign: str,
) -> None:
    signs = f"for i in {{1..{times}}}; do printf '{sign}' >&$answers; sleep {pause}; done; "
    put_qemu(tmp_path, monkeypatch, STARTED + signs + r"printf 'X\1\0\0\0\7' >&$answers; exec sleep 60")
    try:
        assert run_in_vm(kernel, ["true"], silent_seconds=1) == 7
        assert not hangs
    except HungError as error:
        assert hangs
        assert str(error).startswith(
            "the guest hangs: it has not sent a sign of life for 1 s, and the VM was"
        )
    assert capfd.readouterr().out == times * ("x" if sign[0] == "O" else "")


def test_a_guest_whose_reader_is_slow_does_not_hang(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    much = r"printf 'O\200\000\000\000%128s' x >&$answers; "
    ends = r"printf 'X\1\0\0\0\7' >&$answers; exec sleep 60"
    put_qemu(tmp_path, monkeypatch, STARTED + f"for i in {{1..1000}}; do {much} done; " + ends)
    reader, writer = os.pipe()

    def read() -> None:
        time.sleep(1)
        left = 1000 * 128
        while left:
            left -= len(os.read(reader, left))

    slow = threading.Thread(target=read)
    slow.start()
    try:
        assert run_in_vm(kernel, ["true"], silent_seconds=0.5, timeout=30, stdout=writer) == 7
    finally:
        slow.join()
        os.close(reader)
        os.close(writer)


def test_a_guest_that_always_hangs_is_not_started_for_ever(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_qemu(tmp_path, monkeypatch, f"echo $$ >> {tmp_path}/pids; {STARTED} sleep 0.3; {STALLS}")
    told: list[str] = []
    with pytest.raises(HungError, match="the guest hangs"):
        run_in_vm(kernel, ["true"], again=told.append, repeatable=True)
    assert len(told) == 1
    assert len((tmp_path / "pids").read_text().split()) == 2


def test_a_guest_that_was_stalled_and_goes_on_is_let_be(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = STALL.replace("7281", "7299")
    said = f"printf '{STALL % 5252}{other % 5252}' >&$console; sleep 0.3; "
    put_qemu(tmp_path, monkeypatch, STARTED + said + r"printf 'X\1\000\000\000\7' >&$answers; exec sleep 60")
    assert run_in_vm(kernel, ["true"]) == 7


@pytest.mark.parametrize(("limit", "starts"), [({"boot_seconds": 0.3}, 2), ({"timeout": 0.3}, 1)])
def test_a_kernel_that_always_hangs_is_not_started_for_ever_nor_beyond_the_timeout(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: dict[str, float], starts: int
) -> None:
    put_qemu(tmp_path, monkeypatch, f"echo $$ >> {tmp_path}/pids; exec sleep 60")
    told: list[str] = []
    with pytest.raises(UserError, match=r"did not get as far as running the command within 0\.3 s") as error:
        run_in_vm(kernel, ["true"], again=told.append, **limit)  # type: ignore[arg-type]
    assert error.value.code == Exit.CANNOT_TELL
    assert len(told) == starts - 1
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == starts
    assert not any(Path("/proc", pid).exists() for pid in pids)
