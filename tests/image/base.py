# SPDX-License-Identifier: GPL-2.0-only
"""The root file system that stands in for Debian's image: made of Debian's packages, kept packed.

As the real one it is a minimal Debian without documentation, whose apt keeps no packages.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from profiler.lab.apt import configured_archives, sources
from profiler.lab.cache import replace_file
from tests.image.machine import acquire_settings

REFERENCE = re.compile(r"debian:(?P<suite>[a-z]+)-\d{8}-slim")
"""An image of Debian that is never changed: its tag bears a date."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

_TAR = ("--numeric-owner", "--xattrs", "--xattrs-include=*")
_EXCLUDED = ("doc", "man", "info", "locale", "lintian", "linda", "groff")
_FILES = {
    "etc/apt/apt.conf.d/keep-nothing": (
        'Binary::apt::APT::Keep-Downloaded-Packages "false";\n'
        'APT::Keep-Downloaded-Packages "false";\n'
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        'Acquire::Languages "none";\nAcquire::GzipIndexes "true";\n'
    ),
    "etc/dpkg/dpkg.cfg.d/image": "".join(
        ["force-unsafe-io\n", *(f"path-exclude /usr/share/{name}/*\n" for name in _EXCLUDED)]
    ),
    "etc/apt/sources.list.d/debian.sources": "",
    "etc/resolv.conf": "",
    "etc/hosts": "",
    "etc/hostname": "",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}


def base_root(reference: str, cache: Path, folder: Path) -> Path:
    """Unpack the root file system for ``reference`` in ``folder``.

    The caller holds ``directory_lock(cache)``; what is made, the first time, is kept there.

    :raises ValueError: not a dated slim image of Debian.
    :raises AssertionError: it cannot be made; the output of mmdebstrap says why.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError(f"{reference} is not pinned by date as debian:SUITE-DATE-slim is")
    archive = sources(configured_archives(), match["suite"])
    key = hashlib.sha256("\0".join((reference, archive, Path(__file__).read_text())).encode()).hexdigest()
    root, packed = folder / "base", cache / f"base-{key[:16]}.tar"
    if packed.is_file():
        root.mkdir()
        subprocess.run(["tar", *_TAR, "-xf", packed, "-C", root], check=True)
        return root
    for outdated in cache.glob("base-*"):
        outdated.unlink()
    _make(match["suite"], archive, root)
    with replace_file(packed) as unfinished:
        subprocess.run(["tar", *_TAR, "-cf", unfinished, "-C", root, "."], check=True)
    return root


def _make(suite: str, archive: str, root: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "settings")
        settings.write_text(
            "".join(f"{line}\n" for line in acquire_settings()) + 'Acquire::Languages "none";\n'
        )
        listed = Path(folder, "debian.sources")
        listed.write_text(archive)
        exclusions = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _EXCLUDED]
        # A mount namespace of its own: what it mounts is gone with it, however it ends.
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "mmdebstrap", "--quiet"]
        command += ["--mode=root", "--variant=minbase", "--format=directory", f"--aptopt={settings}"]
        command += ["--dpkgopt=force-unsafe-io", *exclusions, suite, str(root), str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise AssertionError(f"mmdebstrap cannot make {suite}:\n{done.stderr[-4000:]}")
    for pattern in ("etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"):
        (root / pattern).unlink(missing_ok=True)
    for configured in (root / "etc/apt/sources.list.d").iterdir():
        configured.unlink()
    for name, content in _FILES.items():
        (root / name).write_text(content)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    for log in ("dpkg.log", "bootstrap.log", "alternatives.log"):
        (root / "var/log" / log).unlink(missing_ok=True)
    shutil.rmtree(root / "var/log/apt", ignore_errors=True)
    shutil.rmtree(root / "dev")
    (root / "dev").mkdir()
