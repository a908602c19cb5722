# SPDX-License-Identifier: GPL-2.0-only
"""An output file is refused at once or written in full; what stood there stays until then."""

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from profiler.errors import Exit, UserError
from profiler.output import Output


def refusal(path: Path | str, force: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        Output(str(path), force)
    assert caught.value.code == Exit.OUTPUT
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new"
    output = Output(str(path), False)
    assert path.read_text() == ""
    output.write("täxt\n")
    assert path.read_bytes() == "täxt\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0


def test_an_existing_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    assert "exists already" in refusal(path)
    assert "--force" in refusal(path)
    assert path.read_text() == "old"


def test_with_force_the_old_content_stays_until_the_new_is_written(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old and rather long")
    output = Output(str(path), True)
    assert path.read_text() == "old and rather long"
    output.write("new")
    assert path.read_text() == "new"


def test_with_force_a_run_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    Output(str(path), True).discard()
    assert path.read_text() == "old"


def test_discard_removes_what_was_created_empty(tmp_path: Path) -> None:
    path = tmp_path / "new"
    output = Output(str(path), True)
    output.discard()
    assert not path.exists()
    output.discard()
    path.write_text("somebody else's")
    output.discard()
    assert path.read_text() == "somebody else's"


def test_discard_after_writing_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new"
    output = Output(str(path), False)
    output.write("text")
    output.discard()
    assert path.read_text() == "text"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert "No such file or directory" in refusal(tmp_path / "none" / "file")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    refusal(tmp_path)
    assert "Is a directory" in refusal(tmp_path, force=True)


def test_no_name_at_all() -> None:
    with pytest.raises(UserError, match="No such file"):
        Output("", False)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: run as root")
def test_a_place_where_this_user_may_not_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setresuid(65534, 65534, 65534)
            Output(str(tmp_path / "new"), False)
        except UserError as error:
            code = 0 if "cannot be written: Permission denied" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_full_disk() -> None:
    output = Output("/dev/full", True)
    with pytest.raises(UserError, match="No space left on device") as caught:
        output.write("text")
    assert caught.value.code == Exit.OUTPUT
    output.discard()


def test_a_full_disk_leaves_no_half_of_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new"
    output = Output(str(path), False)
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if path.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[:2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match="No space left"):
        output.write("text")
    output.discard()
    assert not path.exists()


def test_a_full_disk_leaves_no_half_of_an_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old"
    path.write_text("old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = Output(str(path), True)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match="No space left"):
        output.write("text")
    assert path.read_text() == ""


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("-", False)
    output.write("text\n")
    output.discard()
    assert capsys.readouterr().out == "text\n"


def test_standard_output_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(UserError, match="standard output cannot be written: No space left") as caught:
        Output("-", False).write("text")
    assert caught.value.code == Exit.OUTPUT
    full.close()  # raises nothing any more


def test_standard_output_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(UserError, match="standard output cannot be written: Bad file descriptor") as caught:
        Output("-", False).write("text")
    assert caught.value.code == Exit.OUTPUT


def test_a_reader_that_went_away_is_the_callers_business(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(BrokenPipeError):
        Output("-", False).write("text")
    os.dup2(os.open(os.devnull, os.O_WRONLY), write)
    stream.close()


def test_text_that_no_encoding_has(tmp_path: Path) -> None:
    """A command line may hold any byte (surrogateescape)."""
    path = tmp_path / "new"
    Output(str(path), False).write("a\udcffb")
    assert b"a" in path.read_bytes()


def test_a_descriptor_is_not_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    Output(str(tmp_path / "a"), False).write("text")
    Output(str(tmp_path / "b"), False).discard()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
