# SPDX-License-Identifier: GPL-2.0-only
"""Programs that come before the real ones; what they say and do is in files beside them."""

from collections.abc import Mapping
from pathlib import Path

import pytest


def put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: Mapping[str, str], files: Mapping[str, str]
) -> Path:
    """The folder of the tools, ``$TOOLS`` for them; caches are below ``tmp_path`` too.

    :param scripts: name → shell script.
    :param files: name → content.
    """
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text("#!/bin/sh\n" + script)
        (folder / name).chmod(0o755)
    for name, content in files.items():
        (folder / name).write_text(content)
    monkeypatch.setenv("TOOLS", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder
