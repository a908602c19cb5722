# SPDX-License-Identifier: GPL-2.0-only
"""Kernels we build: what goes in decides which is taken, and the cache is whole however a build ended.

apt, dpkg-deb, make and depmod are scripts, and the source is one file; tar, patch and all else is real.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.lab import built
from profiler.lab.cache import cache_directory
from tests.unit import fake_tools
from tests.unit.test_lab_image import bzimage

# What the patches look for, and what is beside it.
MEMORY_C = """\
 * (and therefore to page order).  This way it's easier to guarantee
 * that we don't cross page table boundaries.
 */
static vm_fault_t do_fault_around(struct vm_fault *vmf)
{
	unsigned long address = vmf->address, nr_pages, mask;
	pgoff_t start_pgoff = vmf->pgoff;
	pgoff_t end_pgoff;
	int off;

	nr_pages = READ_ONCE(fault_around_bytes) >> PAGE_SHIFT;
	mask = ~(nr_pages * PAGE_SIZE - 1) & PAGE_MASK;

	return vmf->vma->vm_ops->map_pages(vmf, start_pgoff, end_pgoff);
}

static inline bool should_fault_around(struct vm_fault *vmf)
{
	if (!vmf->vma->vm_ops->map_pages)
		return false;

	if (uffd_disable_fault_around(vmf->vma))
		return false;

	return fault_around_bytes >> PAGE_SHIFT > 1;
}

static vm_fault_t do_read_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = 0;

"""

APT = """\
for word; do case "$word" in
indextargets) echo mirror:/debian/ bookworm main; exit ;;
update) cat "$TOOLS/update-says" >&2; exit ;;
download) echo download >> "$TOOLS/calls"; touch linux-source-6.1_6.1.192-2_all.deb ;;
esac; done
"""
DPKG_DEB = """\
case "$1" in
--field) cat "$TOOLS/version" ;;
--extract) mkdir -p "$3/usr/src" && cp "$TOOLS/source.tar.xz" "$3/usr/src/linux-source-6.1.tar.xz" ;;
esac
"""
# It copies what it "compiles" into the kernel, so that a test sees which source that was.
MAKE = """\
for word; do case "$word" in
O=*) objects=${word#O=} ;;
LOCALVERSION=*) release=6.1.192${word#LOCALVERSION=} ;;
esac; done
cd "$2" && cd "$objects" || exit
case "$word" in
tinyconfig) : > .config ;;
olddefconfig) cat "$TOOLS/dropped" >> .config ;;
bzImage)
    echo make >> "$TOOLS/calls"
    . "$TOOLS/compile"
    echo "$release" >> built-here
    mkdir -p arch/x86/boot include/config
    echo "$release" > include/config/kernel.release
    cat "$TOOLS/$release" "$2/mm/memory.c" > arch/x86/boot/bzImage
    touch System.map modules.builtin modules.builtin.modinfo ;;
esac
"""
TOOLS = {
    "apt-get": APT,
    "apt-cache": 'cat "$TOOLS/packages"',
    "dpkg-deb": DPKG_DEB,
    "make": MAKE,
    "depmod": 'touch "$2/lib/modules/$3/modules.dep"',
    "gcc": 'cat "$TOOLS/compiler"',
}
FILES = {
    "packages": "linux-source-6.1\n",
    "version": "6.1.192-2\n",
    "compiler": "gcc 12.2.0\n",
    "update-says": "",
    "dropped": "",
    "compile": "",
    "calls": "",
}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = fake_tools.put(tmp_path, monkeypatch, TOOLS, FILES)
    for name in built.VARIANTS:
        release = f"6.1.192-lab-{name}"
        (folder / release).write_bytes(bzimage(version=release.encode() + b" (lab@here)\0"))
    pack_source(folder, MEMORY_C)
    monkeypatch.setattr(built, "require_build_tools", lambda: None)
    # make's variables do not get through; this one is how the scripts find their folder.
    monkeypatch.setattr("profiler.lab.make._environment", lambda: dict(os.environ))
    return folder


def pack_source(folder: Path, memory_c: str) -> None:
    top = folder / "linux-source-6.1"
    (top / "mm").mkdir(parents=True)
    (top / "mm" / "memory.c").write_text(memory_c)
    (top / "scripts" / "kconfig").mkdir(parents=True)
    merge = top / "scripts" / "kconfig" / "merge_config.sh"
    merge.write_text('#!/bin/sh\ncat "$5" >> "$4"\n')
    merge.chmod(0o755)
    with tarfile.open(folder / "source.tar.xz", "w:xz") as archive:
        archive.add(top, top.name)
    shutil.rmtree(top)


def kernels() -> set[str]:
    folder = cache_directory() / "kernels"
    return {path.name.rpartition("-")[0] for path in folder.iterdir() if path.is_dir()}


def leftovers() -> list[Path]:
    return [path for path in cache_directory().rglob(".unfinished-*") if "source" not in path.parts]


def calls(tools: Path, name: str) -> int:
    return (tools / "calls").read_text().split().count(name)


def source_of(name: str) -> str:
    """Return the memory.c that ``lab:NAME`` was made of."""
    return built.built_kernel(name).image.read_bytes().split(b"boundaries.\n */\n")[1].decode()


def test_each_variant_has_its_gate_and_is_one_patch_away() -> None:
    assert {patch for patches in built.VARIANTS.values() for patch in patches} == {
        path.stem for path in built._FILES.glob("*.patch")
    }


def test_the_variants_differ_in_their_gates(tools: Path) -> None:
    early, gate = "if (unlikely(userfaultfd_armed(vmf->vma)))\n\t\treturn 0;", "uffd_disable_fault_around"
    for name, has_early, has_gate in [
        ("seed", True, False),
        ("mainline", False, True),
        ("ungated", False, False),
    ]:
        text = source_of(name)
        assert (early in text, gate in text) == (has_early, has_gate), name
        assert "static noinline vm_fault_t do_fault_around(" in text
        assert "static noinline vm_fault_t do_read_fault(" in text


def test_a_kernel_is_built_once_and_knows_its_modules(tools: Path) -> None:
    kernel = built.built_kernel("seed")
    assert kernel.image.name == "vmlinuz-6.1.192-lab-seed"
    assert (kernel.image.parent / "config-6.1.192-lab-seed").is_file()
    (tools / "apt-get").unlink()  # a hit asks nobody
    (tools / "make").unlink()
    assert built.built_kernel("seed") == kernel
    assert (calls(tools, "download"), calls(tools, "make")) == (1, 1)


def test_another_variant_uses_the_same_source_and_objects(tools: Path) -> None:
    built.built_kernels()
    objects = cache_directory() / "kernel-build" / "objects"
    assert len((objects / "built-here").read_text().split()) == 3
    assert (calls(tools, "download"), kernels()) == (1, {"lab-mainline", "lab-seed", "lab-ungated"})


def test_a_file_that_stays_as_it_is_looks_no_newer_to_make(tools: Path) -> None:
    built.built_kernel("seed")
    file = cache_directory() / "kernel-build" / "source" / "mm" / "memory.c"
    before = file.stat().st_mtime_ns
    shutil.rmtree(next((cache_directory() / "kernels").glob("lab-seed-*")))
    built.built_kernel("seed")
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("what", ["compiler", "patch", "fragment", "source"])
def test_what_goes_in_decides_which_kernel_is_taken(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    first = built.built_kernel("seed").image
    files = tmp_path / "kernel"
    shutil.copytree(built._FILES, files)
    monkeypatch.setattr(built, "_FILES", files)
    monkeypatch.setattr(built, "_FRAGMENT", files / "base.config")
    if what == "compiler":
        (tools / "compiler").write_text("gcc 13\n")
    elif what == "source":
        shutil.rmtree(cache_directory() / "kernel-build")
        (tools / "version").write_text("6.1.193-1\n")
        (cache_directory() / "kernels" / "linux-source-6.1.version").unlink()
    else:
        file = files / ("seed.patch" if what == "patch" else "base.config")
        file.write_text("# another\n" + file.read_text())
    assert built.built_kernel("seed").image != first
    if what != "patch":  # then no object is of use any more
        assert (cache_directory() / "kernel-build/objects/built-here").read_text().count("\n") == 1


def test_who_kept_only_the_kernels_needs_no_source(tools: Path) -> None:
    kernel = built.built_kernel("seed")
    shutil.rmtree(cache_directory() / "kernel-build")
    assert built.built_kernel("seed") == kernel
    assert calls(tools, "download") == 1


def test_two_at_once_build_once(tools: Path) -> None:
    threads = [threading.Thread(target=built.built_kernel, args=["seed"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (calls(tools, "download"), calls(tools, "make"), kernels()) == (1, 1, {"lab-seed"})


def start_build(tools: Path, compiling: str) -> "subprocess.Popen[bytes]":
    """Build lab:seed in a process of its own, with a make that does ``compiling``; return when it does."""
    (tools / "compile").write_text(f'touch half; (echo > "$TOOLS/ready"; {compiling}) & wait\n')
    code = (
        "import os; from profiler.lab import built, make; built.require_build_tools = lambda: None; "
        "make._environment = lambda: dict(os.environ); built.built_kernel('seed')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not (tools / "ready").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (tools / "compile").write_text("")
    return process


def test_a_build_that_was_killed_is_redone_when_its_last_compiler_has_ended(tools: Path) -> None:
    process = start_build(tools, """trap '' TERM; sleep 1; echo late >> "$TOOLS/calls\"""")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    built.built_kernel("seed")
    assert not (cache_directory() / "kernel-build/objects/half").exists()
    assert (tools / "calls").read_text().split() == ["download", "make", "late", "make"]
    assert (kernels(), leftovers()) == ({"lab-seed"}, [])


def test_after_ctrl_c_a_build_goes_on_where_it_was(tools: Path) -> None:
    process = start_build(tools, "exec sleep 1")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert kernels() == set()
    built.built_kernel("seed")
    assert (cache_directory() / "kernel-build/objects/half").exists()
    assert kernels() == {"lab-seed"}


def test_what_a_killed_download_left_is_swept_and_redone(tools: Path) -> None:
    leftover = cache_directory() / "kernel-build" / ".unfinished-x"
    leftover.mkdir(parents=True)
    (leftover / "linux-source-6.1_half.deb").touch()
    built.built_kernel("seed")
    assert not leftover.exists()
    assert (calls(tools, "download"), kernels()) == (1, {"lab-seed"})


def test_objects_are_used_again_after_an_error(tools: Path) -> None:
    (tools / "compile").write_text("touch half; echo 'mm/memory.c:1: error: oops'; exit 2\n")
    with pytest.raises(UserError) as error:
        built.built_kernel("seed")
    log = cache_directory() / "kernel-build" / "seed.log"
    assert str(error.value) == (
        f"cannot build the kernel; all that make said is in {log}, its errors:\n  mm/memory.c:1: error: oops"
    )
    assert kernels() == set()
    (tools / "compile").write_text("")
    built.built_kernel("seed")
    assert (cache_directory() / "kernel-build/objects/half").exists()


def says(name: str, text: str) -> Callable[[Path], object]:
    return lambda tools: (tools / name).write_text(text)


def tool(name: str, script: str) -> Callable[[Path], object]:
    def put(tools: Path) -> None:
        (tools / name).write_text("#!/bin/sh\n" + script)
        (tools / name).chmod(0o755)

    return put


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (says("packages", ""), "no package linux-source-6.1 in suite bookworm of apt's Debian mirror$"),
        (
            lambda tools: (says("packages", "")(tools), says("update-says", "Err: no suite\n")(tools)),
            "in suite bookworm of apt's Debian mirror: no suite",
        ),
        (tool("dpkg-deb", "echo 'unexpected end of file' >&2; exit 2"), "dpkg-deb failed: unexpected end"),
        (
            tool("dpkg-deb", "echo 'No space left on device' >&2; exit 2"),
            "the disk is full at .* 4 GB to build",
        ),
        (
            lambda tools: os.truncate(tools / "source.tar.xz", 100),
            "cannot unpack linux-source-6.1, tar failed",
        ),
        (says("compile", "echo 'fatal error: No space left on device'; exit 2"), "the disk is full at"),
        (
            says("dropped", "# CONFIG_9P_FS is not set\n"),
            "does not take CONFIG_9P_FS=y; correct .*base.config",
        ),
        (
            lambda tools: pack_source(tools, MEMORY_C.replace("READ_ONCE", "READ")),
            "cannot apply seed.patch to .*, patch failed",
        ),
        (tool("depmod", "echo broken >&2; exit 1"), "depmod failed: broken"),
    ],
)
def test_a_failure_is_one_sentence_and_mended_later(
    tools: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    kept = shutil.copytree(tools, tmp_path / "kept")
    spoil(tools)
    with pytest.raises(UserError, match=sentence) as error:
        built.built_kernel("seed")
    assert "\n" not in str(error.value)
    assert (kernels() if (cache_directory() / "kernels").exists() else set(), leftovers()) == (set(), [])
    shutil.copytree(kept, tools, dirs_exist_ok=True)
    if "patch" in sentence:  # the source itself was of another version
        shutil.rmtree(cache_directory() / "kernel-build")
    assert built.built_kernel("seed").release


@pytest.mark.parametrize(
    "writer", ["kernel_build.run_make", "kernel_patches.shutil.copy", "built.unpack_image"]
)
def test_a_disk_that_we_fill_ourselves_is_one_sentence(
    tools: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"profiler.lab.{writer}", full)
        with pytest.raises(UserError, match=r"the disk is full at .* 4 GB to build a kernel"):
            built.built_kernel("seed")
    assert (kernels(), leftovers()) == (set(), [])
    assert built.built_kernel("seed").release == "6.1.192-lab-seed"


def test_a_name_we_do_not_have_lists_those_we_have() -> None:
    with pytest.raises(
        UserError, match="unknown kernel lab:v3; give lab:mainline, lab:seed, lab:ungated, or"
    ):
        built.built_kernel("v3")
