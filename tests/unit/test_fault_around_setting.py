# SPDX-License-Identifier: GPL-2.0-only
"""fault_around_bytes for a while: put back by whatever end, with a file in place of debugfs'."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.kernel.fault_around_setting import fault_around_bytes

HOLDER = """
import sys, time
from pathlib import Path
from profiler.kernel.fault_around_setting import fault_around_bytes
with fault_around_bytes(4096, Path(sys.argv[1])):
    print("set", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def setting(tmp_path: Path) -> Path:
    file = tmp_path / "fault_around_bytes"
    file.write_text("65536")
    return file


def _put_back(file: Path) -> bool:
    deadline = time.monotonic() + 20
    while file.read_text() != "65536":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_it_is_set_inside_the_block_and_put_back_after_it(setting: Path) -> None:
    with fault_around_bytes(8192, setting):
        assert setting.read_text() == "8192"
    assert setting.read_text() == "65536"
    with pytest.raises(KeyError), fault_around_bytes(8192, setting):
        raise KeyError
    assert setting.read_text() == "65536"


def test_none_leaves_it_alone(setting: Path) -> None:
    with fault_around_bytes(None, setting.with_name("not there")):
        assert setting.read_text() == "65536"


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_is_put_back_when_the_process_dies(setting: Path, death: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, setting], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "set\n"
        assert setting.read_text() == "4096"
        process.send_signal(death)
    assert _put_back(setting)


def test_a_value_that_is_refused_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"cannot be set to 4096 \(No such file"),
        fault_around_bytes(4096, tmp_path / "not there"),
    ):
        pass
