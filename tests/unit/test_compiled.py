# SPDX-License-Identifier: GPL-2.0-only
"""Compiled programs outlive the process that compiled them, and nobody but root can change them."""

import json
import os
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.hooks import kept
from profiler.hooks.compiled import Compiled, Map, with_maps

INSTRUCTION = struct.Struct("<BBhi")
U32 = st.integers(0, 2**31 - 1)
NAMES = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=15)
MAPS = st.builds(Map, NAMES, U32, U32, U32, U32, U32)
COMPILED = st.builds(
    Compiled,
    st.lists(MAPS, max_size=4).map(tuple),
    st.dictionaries(NAMES, st.binary(max_size=64), max_size=4),
    NAMES,
    U32,
)
SAMPLE = Compiled((Map("slots", 2, 4, 8, 100, 1024),), {"event_minor": bytes(16)}, "GPL", 0)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setattr(kept, "FOLDERS", (str(tmp_path / "first"), str(tmp_path / "second")))
    monkeypatch.setattr(kept, "_compiler", lambda: [[sys.executable, *kept._identity(sys.executable)]])
    return tmp_path / "first"


def load_of_map(number: int) -> bytes:
    return INSTRUCTION.pack(0x18, 0x11, 0, number) + INSTRUCTION.pack(0, 0, 0, 0)


@given(COMPILED)
def test_it_comes_back_from_a_file_as_it_was(compiled: Compiled) -> None:
    assert Compiled.from_json(json.loads(json.dumps(compiled.to_json()))) == compiled


@given(st.lists(st.integers(0, 7) | st.binary(min_size=8, max_size=8), max_size=12))
def test_only_the_numbers_of_maps_are_changed(parts: list[int | bytes]) -> None:
    """Other loads of 64 bits, and what stands in their second halves, stay as they are."""
    harmless = [bytes([0xB7, *part[1:]]) if isinstance(part, bytes) else part for part in parts]
    before = b"".join(load_of_map(part) if isinstance(part, int) else part for part in harmless)
    after = b"".join(load_of_map(part + 100) if isinstance(part, int) else part for part in harmless)
    assert with_maps(before, {number: number + 100 for number in range(8)}) == after
    constant = INSTRUCTION.pack(0x18, 0x01, 0, 3) + INSTRUCTION.pack(0, 0, 0, 0)
    assert with_maps(constant, {}) == constant


def test_a_map_that_nobody_made_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_maps(load_of_map(3), {0: 5})


def test_what_was_stored_is_loaded(folder: Path) -> None:
    assert kept.load("a") is None
    kept.store("a", SAMPLE)
    assert kept.load("a") == SAMPLE
    assert kept.load("b") is None
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert (folder.stat().st_mode & 0o777, (folder / "a.json").stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_systemd_gives_comes_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    monkeypatch.setenv("CACHE_DIRECTORY", str(given))
    kept.store("a", SAMPLE)
    assert (given / "a.json").exists()
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_not_used(folder: Path, mode: int) -> None:
    kept.store("a", SAMPLE)
    folder.chmod(mode)
    assert kept.load("a") is None
    kept.store("a", SAMPLE)
    assert (folder.parent / "second" / "a.json").exists()


def test_a_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    kept.store("a", SAMPLE)
    os.chown(folder, 65534, 65534)
    assert kept.load("a") is None


def test_a_link_is_not_followed(folder: Path) -> None:
    kept.store("a", SAMPLE)
    elsewhere = folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(elsewhere)
    assert kept.load("a") is None
    folder.unlink()
    elsewhere.rename(folder)
    (folder / "b.json").symlink_to(folder / "a.json")
    assert (kept.load("a"), kept.load("b")) == (SAMPLE, None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"programs": {"x": "zz"}, "maps": []}'])
def test_what_is_damaged_is_as_if_it_were_not_there(folder: Path, content: str) -> None:
    kept.store("a", SAMPLE)
    (folder / "a.json").write_text(content)
    assert kept.load("a") is None
    kept.store("a", SAMPLE)
    assert kept.load("a") == SAMPLE


def test_where_nothing_can_be_written_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FOLDERS", ("/proc/nothing", "/dev/null/nothing"))
    kept.store("a", SAMPLE)
    assert kept.load("a") is None


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    for number in range(kept.MOST):
        kept.store(f"{number}", SAMPLE)
        os.utime(folder / f"{number}.json", (number, number))
    assert kept.load("0") == SAMPLE  # used now
    kept.store("new", SAMPLE)
    names = {path.stem for path in folder.iterdir()}
    assert len(names) == kept.MOST
    assert {"0", "2", "new"} <= names
    assert "1" not in names


def test_the_key_is_of_all_that_decides(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("#define A 1")

    def key(source: str = "int x;", options: tuple[str, ...] = ("-DA=1",)) -> str:
        return kept.key(source, options, tmp_path)

    first = key()
    assert key() == first
    found = {first, key("int y;"), key(options=("-DA=2",)), key(options=("-DA=1", "-g0"))}
    (tmp_path / "a.h").write_text("#define A 2")
    found.add(key())
    (tmp_path / "a.h").rename(tmp_path / "b.h")
    found.add(key())
    assert len(found) == 6


def test_another_compiler_finds_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known by its libraries, with size and time of change; they are not loaded to see it."""
    library = tmp_path / "libbcc.so.0"
    library.write_text("one")
    os.utime(library, ns=(7, 7))
    monkeypatch.setattr(kept, "_compiler", lambda: [[str(library), 3, 7]])
    kept.store("a", SAMPLE)
    assert kept.load("a") == SAMPLE
    os.utime(library, ns=(7, 8))
    assert kept.load("a") is None
    library.write_text("longer")
    os.utime(library, ns=(7, 7))
    assert kept.load("a") is None
    library.unlink()
    assert kept.load("a") is None
    monkeypatch.setattr(kept, "_compiler", lambda: [[str(library), *kept._identity(str(library))]])
    kept.store("a", SAMPLE)  # by a compiler that was replaced while it compiled
    assert kept.load("a") is None
    monkeypatch.setattr(kept, "_compiler", list)
    kept.store("a", SAMPLE)
    assert kept.load("a") is None


def test_the_compiler_is_known_by_its_libraries() -> None:
    import bcc  # noqa: F401 (maps them)

    names = {Path(str(path)).name.split(".so")[0] for path, *_ in kept._compiler()}
    assert "libbcc" in names
    assert any(name.startswith("libLLVM") for name in names)
