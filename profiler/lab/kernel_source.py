# SPDX-License-Identifier: GPL-2.0-only
"""The source of Debian's 6.1 kernel: fetched as a package, unpacked into the cache, never installed."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab.apt import PrivateApt, configured_archives, must, run_tool
from profiler.lab.cache import cache_directory, directory_lock, replace_directory, replace_file

PACKAGE = "linux-source-6.1"
SUITE = "bookworm"

_TREE = "source"
_VERSION = "debian-version"  # the last thing written into the tree


@dataclass(frozen=True)
class SourceTree:
    """An unpacked source.

    :param directory: always the same path: ccache finds again only what was compiled there.
    :param version: of the Debian package, such as ``6.1.192-2``.
    """

    directory: Path
    version: str


def known_version() -> str | None:
    """Return the version of the source fetched last, though the tree may be gone; None if none was."""
    try:
        return _record().read_text().strip()
    except OSError:
        return None


def source_tree(build: Path, say: Callable[[str], None]) -> SourceTree:
    """Return the source in ``build``, fetched from the Debian mirror if it is not there.

    To be called inside :func:`directory_lock` of ``build``.

    :raises UserError: no mirror, network, package or tool; no room on the disk.
    """
    tree = build / _TREE
    if not tree.is_dir():
        say(f"fetching {PACKAGE} from the Debian mirror")
        with replace_directory(tree) as unfinished:
            _fetch(unfinished, say)
    version = (tree / _VERSION).read_text().strip()
    if known_version() != version:
        with directory_lock(_record().parent), replace_file(_record()) as record:
            record.write_text(f"{version}\n")
    return SourceTree(tree, version)


def _fetch(target: Path, say: Callable[[str], None]) -> None:
    archives = configured_archives()
    with tempfile.TemporaryDirectory(dir=target) as name:
        private = Path(name)
        apt = PrivateApt(private, archives, SUITE)
        apt.update()
        if PACKAGE not in apt.package_names(PACKAGE):
            reason = f": {apt.complaint}" if apt.complaint else ""
            raise UserError(
                f"no package {PACKAGE} in suite {SUITE} of apt's Debian mirror{reason}", Exit.CANNOT_TELL
            )
        package = apt.download(PACKAGE)
        say(f"unpacking {PACKAGE}")
        unpacked = private / "package"
        must(["dpkg-deb", "--extract", str(package), str(unpacked)], f"unpack {PACKAGE}")
        archive = unpacked / "usr" / "src" / f"{PACKAGE}.tar.xz"
        must(
            ["tar", "--extract", "--file", str(archive), "--directory", str(target), "--strip-components=1"],
            f"unpack {PACKAGE}",
        )
        version = run_tool(["dpkg-deb", "--field", str(package), "Version"]).stdout
    (target / _VERSION).write_text(version)


def _record() -> Path:
    """Beside the kernels, and not in the tree: who keeps only the kernels knows what they were built from."""
    return cache_directory() / "kernels" / f"{PACKAGE}.version"
