# SPDX-License-Identifier: GPL-2.0-only
"""Under systemd, and beside the node exporter."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.service.running import PATIENCE, ROOT, TOOL, Running, running

NOBODY = 65534


def test_it_answers_on_the_sockets_of_systemd_and_says_when_it_is_ready(tmp_path: Path) -> None:
    """As systemd does it: descriptor 3, LISTEN_PID of the very process, a datagram socket for the state."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    folder = Path(tempfile.mkdtemp())  # tmp_path lies in one that only root may enter
    folder.chmod(0o711)
    notify.bind(str(folder / "notify"))
    (folder / "notify").chmod(0o777)
    notify.settimeout(PATIENCE)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    start = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&{listening.fileno()}; exec "$@"'
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["/bin/bash", "-c", start, "sh", str(TOOL), "serve", "--web.systemd-socket"],
            env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
            pass_fds=[listening.fileno()],
            stderr=file,
            cwd=ROOT,
        )
    try:
        assert b"READY=1" in notify.recv(4096)
        service = Running.__new__(Running)
        service.log, service.process, service.port = log, process, port
        assert service.get("/-/ready").status == 200
        os.kill(process.pid, signal.SIGTERM)
        assert b"STOPPING=1" in notify.recv(4096)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        listening.close()
        notify.close()
        shutil.rmtree(folder)


def test_without_a_socket_of_systemd_it_says_so(tmp_path: Path) -> None:
    service = Running(tmp_path / "log", "--web.systemd-socket")
    assert service.process.wait(PATIENCE) == 5
    assert "no socket" in service.said()
    assert "Traceback" not in service.said()


def test_the_textfile_is_whole_at_every_moment_and_gone_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    file = folder / "uffd.prom"
    with running(tmp_path / "log", "--tick=0.2", f"--output.textfile={file}") as service:
        deadline = time.monotonic() + PATIENCE
        while not file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        written: set[str] = set()
        while len(written) < 5:
            text = file.read_text()
            list(text_string_to_metric_families(text))
            assert "uffd_profiler_scrape_duration_seconds " in text.splitlines()[-1]
            written.add(text)
            assert time.monotonic() < deadline
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        service.end()
        assert service.process.returncode == 0
    assert list(folder.iterdir()) == []


def test_a_folder_that_nobody_may_write_to(tmp_path: Path) -> None:
    with running(tmp_path / "log", "--tick=0.2", f"--output.textfile={tmp_path}/uffd.prom") as service:
        deadline = time.monotonic() + PATIENCE
        while "cannot be written" not in service.said():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)
        said = re.findall(r"level=error.*cannot be written.*uid 65534", service.said())
        assert len(said) == 1
        assert service.get("/-/ready").status == 200


def test_the_configuration_can_be_checked_alone(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    good = Running(tmp_path / "good", "--config.check", f"--web.config.file={config}")
    assert good.process.wait(PATIENCE) == 0
    assert "valid" in good.said()
    config.write_text("http_server_config: {http2: true}\n")
    bad = Running(tmp_path / "bad", "--config.check", f"--web.config.file={config}")
    assert bad.process.wait(PATIENCE) == 2
    assert "http2" in bad.said()
    assert "Traceback" not in bad.said()
