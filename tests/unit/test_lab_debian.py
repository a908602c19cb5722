# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernels: which package is taken, and a cache that is whole or absent, with a fake apt and dpkg."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import Exit, UserError
from profiler.lab import apt, debian
from profiler.lab.cache import cache_directory
from tests.unit import fake_tools
from tests.unit.test_lab_image import RELEASE, bzimage

PACKAGES = """\
linux-image-6.1.0-9-amd64
linux-image-6.1.0-56-amd64
linux-image-6.1.0-57-amd64-unsigned
linux-image-6.1.0-57-amd64-dbg
linux-image-6.1.0-58-cloud-amd64
linux-image-6.1.0-58-rt-amd64
linux-image-6.12.38+deb12-amd64
"""

TOOLS = {
    "apt-get": """\
for word; do case "$word" in
indextargets) cat "$TOOLS/targets"; exit ;;
update) echo update >> "$TOOLS/calls"; cat "$TOOLS/update-says" >&2; exit 0 ;;
download) cat "$TOOLS/download-says" >&2; [ ! -s "$TOOLS/download-says" ] || exit 100
    for package; do :; done; touch "${package}_1_amd64.deb" ;;
esac; done
""",
    "apt-cache": 'cat "$TOOLS/packages"',
    "dpkg-deb": """\
[ "$1" != --field ] || { cat "$TOOLS/depends"; exit; }
[ ! -s "$TOOLS/dpkg-says" ] || { cat "$TOOLS/dpkg-says" >&2; exit 2; }
case "$2" in
*/linux-image-*+deb14-*) mkdir -p "$3/usr/share/doc" ;;
*/linux-binary-*)
    mkdir -p "$3/usr/lib/modules/RELEASE" && cp "$TOOLS/image" "$3/usr/lib/modules/RELEASE/vmlinuz" ;;
*/linux-base-*) mkdir -p "$3/usr/lib/modules/RELEASE" && touch "$3/usr/lib/modules/RELEASE/config" ;;
*/linux-modules-*) mkdir -p "$3/usr/lib/modules/RELEASE/kernel" ;;
*) mkdir -p "$3/boot" "$3/lib/modules/RELEASE" && cp "$TOOLS/image" "$3/boot/vmlinuz-RELEASE" ;;
esac
""",
    "depmod": 'touch "$2/lib/modules/$3/modules.dep"',
}
FILES = {
    "targets": "mirror:/debian/ bookworm main\nmirror:/security/ bookworm-security main\n",
    "packages": PACKAGES,
    "update-says": "",
    "download-says": "",
    "dpkg-says": "",
    "depends": "linux-base (>= 4), kmod\n",
    "calls": "",
}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scripts = {name: script.replace("RELEASE", RELEASE) for name, script in TOOLS.items()}
    folder = fake_tools.put(tmp_path, monkeypatch, scripts, FILES)
    (folder / "image").write_bytes(bzimage())
    return folder


def cached() -> set[str]:
    return {path.name for path in (cache_directory() / "kernels").iterdir()}


def calls(tools: Path) -> int:
    return len((tools / "calls").read_text().splitlines())


def test_the_newest_standard_kernel_is_taken() -> None:
    pattern = debian.KERNELS["6.1"].package
    assert debian.newest(PACKAGES.split(), pattern) == "linux-image-6.1.0-56-amd64"
    assert debian.newest(["linux-image-6.1.0-58-cloud-amd64"], pattern) is None


def test_a_kernel_is_fetched_once_and_is_whole(tools: Path) -> None:
    kernel = debian.debian_kernel("6.1")
    assert (kernel.release, kernel.image.name) == (RELEASE, f"vmlinuz-{RELEASE}")
    assert kernel.modules is not None
    assert kernel.modules.is_relative_to(cache_directory())
    (tools / "apt-get").unlink()  # a hit asks nobody
    assert debian.debian_kernel("6.1") == kernel
    assert (calls(tools), cached()) == (1, {".lock", "debian-6.1"})


def test_a_kernel_in_parts_is_put_together(tools: Path) -> None:
    """As forky and sid have it: an empty package whose dependencies hold the files."""
    release = "7.2.13+deb14-amd64"
    (tools / "packages").write_text(f"linux-image-6.1.0-56-amd64\nlinux-image-{release}\n")
    parts = ", ".join(f"linux-{part}-{release} (= 7.2.13-1)" for part in ("base", "binary", "modules"))
    (tools / "depends").write_text(f"dracut | initramfs-tools, {parts}\n")
    kernel = debian.debian_kernel("sid")
    assert kernel.modules is not None
    assert (kernel.modules / "kernel").is_dir()
    assert {path.name for path in kernel.image.parent.iterdir()} == {
        f"vmlinuz-{RELEASE}",
        f"config-{RELEASE}",
    }


def test_two_at_once_fetch_once(tools: Path) -> None:
    threads = [threading.Thread(target=debian.debian_kernel, args=["6.1"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (calls(tools), cached()) == (1, {".lock", "debian-6.1"})


def test_what_a_killed_run_left_is_swept_and_redone(tools: Path) -> None:
    leftover = cache_directory() / "kernels" / ".unfinished-x"
    leftover.mkdir(parents=True)
    (leftover / "half").touch()
    debian.debian_kernel("6.1")
    assert cached() == {".lock", "debian-6.1"}


def says(name: str, text: str) -> Callable[[Path], object]:
    return lambda tools: (tools / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (says("packages", ""), "no package of debian:6.1 in suite bookworm of apt's Debian mirror$"),
        (
            lambda tools: (
                says("packages", "")(tools),
                says("update-says", "W: other\nE: The repository does not have a Release file.\n")(tools),
            ),
            "in suite bookworm of apt's Debian mirror: The repository does not have a Release file.",
        ),
        (
            lambda tools: (
                says("packages", "")(tools),
                says("update-says", "W: Failed to fetch: Could not connect\n")(tools),
            ),
            "mirror: Failed to fetch: Could not connect",
        ),
        (says("targets", "mirror:/apps stable extra\n"), "no Debian archive is among apt's sources"),
        (says("download-says", "E: Hash Sum mismatch\n"), "cannot download linux-image.*: Hash Sum mismatch"),
        (
            says("download-says", "E: write (28: No space left on device)\n"),
            "the disk is full at .*uffd-profiler",
        ),
        (
            says("dpkg-says", "tar: Cannot write: No space left on device\n"),
            "the disk is full at .*uffd-profiler",
        ),
        (says("dpkg-says", "not a Debian archive\n"), "dpkg-deb failed: not a Debian archive"),
        (lambda tools: (tools / "image").write_bytes(b"broken"), "is not an x86 kernel image"),
        (lambda tools: (tools / "apt-get").write_text("#!/bin/sh\nexit 1\n"), "no Debian archive is among"),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_no_cache(
    tools: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(tools)
    with pytest.raises(UserError, match=sentence) as error:
        debian.debian_kernel("6.1")
    assert "\n" not in str(error.value)
    wrong_image = "x86" in sentence  # as if a person had given it
    assert error.value.code == (
        Exit.OUTPUT if "full" in sentence else Exit.USAGE if wrong_image else Exit.CANNOT_TELL
    )
    assert cached() == {".lock"}


@pytest.mark.parametrize("tool", ["apt-get", "depmod"])
def test_a_missing_tool_is_one_sentence(tools: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    (tools / tool).unlink()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(UserError, match=tool) as error:
        debian.debian_kernel("6.1")
    assert error.value.code == Exit.CANNOT_TELL


def test_a_name_we_do_not_have_lists_those_we_have() -> None:
    with pytest.raises(
        UserError, match=r"unknown kernel debian:9; give debian:5\.10, .*debian:sid, or the path of a bzImage"
    ):
        debian.debian_kernel("9")


def test_a_cache_folder_that_cannot_be_written_is_one_sentence(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write the cache folder .*set XDG_CACHE_HOME"):
        debian.debian_kernel("6.1")


def test_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache_directory() == Path.home() / ".cache" / "uffd-profiler"


def test_archives_are_those_of_debian() -> None:
    listing = """\
m:/debian/ bookworm main
m:/debian/ bookworm main
m:/debian/ bookworm-updates main
m:/debian/ bookworm contrib
m:/security/ bookworm-security main
m:/old/ bullseye/updates main
m:/node/ nodistro main
broken line
"""
    assert apt.parse_archives(listing) == apt.Archives(("m:/debian/",), ("m:/security/", "m:/old/"))


def test_sources_name_the_suite_and_its_security_updates() -> None:
    archives = apt.Archives(("m:/debian/",), ("m:/security/",))
    assert "URIs: m:/security/\nSuites: bullseye-security\n" in apt.sources(archives, "bullseye")
    assert "security" not in apt.sources(archives, "sid")
