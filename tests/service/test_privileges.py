# SPDX-License-Identifier: GPL-2.0-only
"""The process that serves has nothing that it could lose."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from tests.service.running import Running

SCRAPES = 240
"""An hour's worth, at one in 15 seconds."""

MIB = 1 << 20


def test_no_privilege_is_left(service: Running) -> None:
    status = service.status()
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert status["Groups"] == ""
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        assert "NoNewPrivs:\t1" in lines
        assert "CapEff:\t0000000000000000" in lines


def test_neither_bcc_nor_llvm_is_mapped(service: Running) -> None:
    # The files alone: an address may well read ...4bcc000000.
    lines = (line.split(maxsplit=5) for line in Path(f"/proc/{service.pid}/maps").read_text().splitlines())
    files = {fields[5] for fields in lines if len(fields) == 6 and fields[5].startswith("/")}
    assert any("python" in file for file in files)
    for library in ("bcc", "LLVM", "libbpf", "libclang"):
        assert not any(library in file for file in files)


def test_no_other_process_remains(service: Running) -> None:
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text()
    assert children.split() == []


def test_what_is_open_is_what_it_needs(service: Running) -> None:
    """Sockets, our BPF objects and their accounts, the canary's page; of files to write none but the log."""
    allowed = (
        r"socket:\[\d+\]",
        r"anon_inode:(bpf-map|bpf-prog|bpf_link|\[bpf-stats\]|bpf-stats|\[perf_event\]|\[eventpoll\])",
        rf"/proc/{service.pid}/fdinfo/\d+",
        r"/proc|/proc/\d+|/proc/stat",
        re.escape(os.path.realpath(sys.executable)),
        r"/dev/null",
        re.escape(str(service.log)),
    )
    service.get("/metrics")
    strange = []
    for fd in Path(f"/proc/{service.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            target = str(fd.readlink())
            if not re.fullmatch("|".join(allowed), target):
                strange.append(target)
    assert strange == []


def test_memory_after_an_hour_of_scrapes(service: Running) -> None:
    for turn in range(SCRAPES):
        accept = "application/openmetrics-text;version=1.0.0" if turn % 2 else "text/plain"
        answer = service.get("/metrics", Accept=accept, Accept_Encoding="gzip")
        assert answer.status == 200
        if turn == SCRAPES // 2:
            half_way = service.resident_bytes()
    assert service.resident_bytes() < 64 * MIB
    assert service.resident_bytes() - half_way < 2 * MIB
    assert service.get("/api/v1/history", Accept_Encoding="gzip").status == 200
    assert service.resident_bytes() < 64 * MIB
