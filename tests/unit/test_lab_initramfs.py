# SPDX-License-Identifier: GPL-2.0-only
"""The archive the kernel unpacks, the job init reads, and the order modules are loaded in."""

import lzma
import stat
import subprocess
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.lab import initramfs
from profiler.lab.image import Kernel

DEPENDENCIES = """\
kernel/net/9pnet_virtio.ko.xz: kernel/net/9pnet.ko.xz kernel/drv/virtio.ko.xz kernel/drv/virtio_ring.ko.xz
kernel/net/9pnet.ko.xz:
kernel/drv/virtio.ko.xz: kernel/drv/virtio_ring.ko.xz
kernel/drv/virtio_ring.ko.xz:
kernel/fs/9p/9p.ko.xz: kernel/net/9pnet.ko.xz
kernel/drv/virtio-rng.ko.xz:
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    (tmp_path / "modules.dep").write_text(DEPENDENCIES)
    for line in DEPENDENCIES.splitlines():
        path = tmp_path / line.partition(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(path.name.encode()))
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name.removesuffix(".ko.xz") for path in paths]


def test_dependencies_come_first_and_once(modules: Path) -> None:
    ordered = initramfs.modules_in_load_order(modules, ["9pnet_virtio", "9p"])
    assert names(ordered) == ["virtio_ring", "virtio", "9pnet", "9pnet_virtio", "9p"]


def test_built_in_modules_are_left_out_and_dashes_are_underscores(modules: Path) -> None:
    assert names(initramfs.modules_in_load_order(modules, ["overlay", "virtio_rng"])) == ["virtio-rng"]


def test_job_holds_every_word_after_the_count_of_its_list(tmp_path: Path) -> None:
    job = initramfs.job_file(["a.ko"], None, tmp_path, 5, ["sh", "", "a b\n"], {"X": "1=2"})
    words = job.decode().split("\0")
    assert words == ["1", "a.ko", "", str(tmp_path), "5", "3", "sh", "", "a b\n", "1", "X=1=2", ""]


def test_job_keeps_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    assert b"\0\xff\0" in initramfs.job_file([], None, tmp_path, 0, ["\udcff"], {})


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read a newc archive by the format's description: name → mode, content."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, archive[start : start + size])
        at = (start + size + 3) // 4 * 4


def test_archive_holds_init_job_and_unpacked_modules(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = tmp_path / "init"
    init.write_bytes(b"binary")
    monkeypatch.setattr(initramfs, "init_binary", lambda: init)
    kernel = Kernel(tmp_path / "bzImage", "6.1", modules)
    held = entries(initramfs.build_initramfs(kernel, ["true"], tmp_path, {}))
    assert held["init"] == (stat.S_IFREG | 0o755, b"binary")
    assert held["modules/00-virtio_ring.ko"][1] == b"virtio_ring.ko.xz"
    assert held["job"][1].split(b"\0")[1] == b"00-virtio_ring.ko"
    assert stat.S_ISCHR(held["dev/console"][0])


def test_unreadable_module_is_one_sentence(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initramfs, "init_binary", lambda: modules / "modules.dep")
    (modules / "kernel/net/9pnet.ko.xz").write_bytes(b"not xz")
    with pytest.raises(UserError, match=r"cannot read the kernel module .*9pnet\.ko\.xz"):
        initramfs.build_initramfs(Kernel(tmp_path, "6.1", modules), ["true"], tmp_path, {})


@pytest.fixture
def fake_gcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that counts its calls, and fails when a file `fail` is beside it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gcc").write_text(
        "#!/bin/sh\n"
        f"echo call >> {tools}/calls\n"
        f"if [ -e {tools}/fail ]; then echo 'cannot find -lc' >&2; exit 1; fi\n"
        'while [ "$1" != -o ]; do shift; done; echo binary > "$2"\n'
    )
    (tools / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tools


def test_init_is_compiled_once(fake_gcc: Path) -> None:
    first = initramfs.init_binary()
    assert initramfs.init_binary() == first
    assert first.read_text() == "binary\n"
    assert (fake_gcc / "calls").read_text() == "call\n"


def test_failing_compiler_is_one_sentence_and_nothing_is_cached(fake_gcc: Path, tmp_path: Path) -> None:
    (fake_gcc / "fail").touch()
    with pytest.raises(UserError, match=r"cannot compile the guest's init \(cannot find -lc\)"):
        initramfs.init_binary()
    assert [path.name for path in (tmp_path / "cache/uffd-profiler/vm-init").iterdir()] == [".lock"]


def test_no_compiler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install gcc libc6-dev"):
        initramfs.init_binary()


def test_init_compiles_without_a_warning(tmp_path: Path) -> None:
    command = [
        "gcc",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        str(tmp_path / "init"),
        *[str(file) for file in initramfs.SOURCES if file.suffix == ".c"],
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""
