# SPDX-License-Identifier: GPL-2.0-only
"""Where guests keep what they compiled."""

from pathlib import Path

import pytest

from profiler.lab.image import Kernel
from profiler.lab.kept import folder
from profiler.lab.qemu import command_line


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "uffd-profiler" / "vm-compiled"


@pytest.mark.parametrize(
    ("release", "name"), [("6.1.0-56-amd64", "6.1.0-56-amd64"), ("", "unknown"), ("..", "unknown")]
)
def test_each_kernel_has_a_folder_of_its_own(cache: Path, release: str, name: str) -> None:
    found = folder(Kernel(Path("k"), release, None))
    assert found == cache / name
    assert found.stat().st_mode & 0o777 == 0o700
    assert folder(Kernel(Path("other"), release, None)) == found


def test_no_folder_where_none_can_be_made(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("in the way")
    assert folder(Kernel(Path("k"), "6.1", None)) is None


@pytest.mark.parametrize("kept", [None, Path("/a,b/c")])
def test_a_guest_can_write_there_and_nowhere_else(kept: Path | None) -> None:
    words = command_line(Kernel(Path("k"), "r", None), "1G", 1, 3, 4, 5, kept=kept)
    exported = [words[at + 1] for at, word in enumerate(words) if word == "-fsdev"]
    host, *others = exported
    assert "readonly=on" in host.split(",")
    # A comma in an option's value is doubled.
    assert others == ([] if kept is None else ["local,id=kept,path=/a,,b/c,security_model=mapped-xattr"])
