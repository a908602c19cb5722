# SPDX-License-Identifier: GPL-2.0-only
"""What the machine lends to a build step: its package mirrors and its network's names, for that step only.

It lies under /dev, which is in memory and made anew for each step: none of it can stay in an image.
"""

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from profiler.lab.apt import configured_archives, run_tool, sources

_LENT = "/dev/machine"
_PIP_OPTIONS = {
    "index-url",
    "extra-index-url",
    "find-links",
    "cert",
    "client-cert",
    "trusted-host",
    "proxy",
    "no-index",
    "default-timeout",
    "timeout",
    "retries",
}
_ACQUIRE = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::ForceIPv", "Acquire::Retries")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Loan:
    """``binds``: path of the machine → path inside; ``environment``: variables that lead there."""

    binds: tuple[tuple[Path, str], ...]
    environment: dict[str, str]


def lend(folder: Path, suite: str) -> Loan:
    """Make a loan; ``folder`` takes the files that are written for it.

    :raises UserError: no Debian archive is among apt's sources.
    """
    lent: dict[Path, str] = {}
    environment = {
        name: os.environ[name] for key in _PROXIES for name in (key, key.lower()) if name in os.environ
    }
    debian_sources = folder / "debian.sources"
    debian_sources.write_text(sources(configured_archives(), suite))
    apt = folder / "apt.conf"
    apt.write_text("".join(f"{line}\n" for line in [*acquire_settings(), *_certificates(lent)]))
    environment["APT_CONFIG"] = _inside(apt, lent)
    for option, value in _pip_settings().items():
        words = (_reachable(word, option, lent) for word in value.split())
        environment[f"PIP_{option.upper().replace('-', '_')}"] = " ".join(words)
    network = [(Path(name), name) for name in ("/etc/resolv.conf", "/etc/hosts") if Path(name).exists()]
    # Both exist in a Debian image, and hold nothing of this machine there.
    binds = [*network, (debian_sources, "/etc/apt/sources.list.d/debian.sources"), *lent.items()]
    return Loan(tuple(binds), environment)


def acquire_settings() -> list[str]:
    """How this machine's apt reaches its mirrors, as lines of an apt.conf."""
    dump = run_tool(["apt-config", "dump", "--no-empty", "Acquire"]).stdout
    return [line for line in dump.splitlines() if line.startswith(_ACQUIRE)]


def _certificates(lent: dict[Path, str]) -> list[str]:
    if not _CERTIFICATES.exists():
        return []
    return [f'Acquire::https::CAInfo "{_inside(_CERTIFICATES, lent)}";']


def _pip_settings() -> dict[str, str]:
    """Of pip's configuration, files and variables alike, what says where packages come from."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = {}
    # A later line wins, as in pip: files first, then variables.
    lines = sorted(listing.stdout.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in lines:
        key, _, value = line.partition("=")
        option = key.rsplit(".", 1)[-1]
        if option in _PIP_OPTIONS and key.startswith((":env:", "global.", "install.")):
            found[option] = str(ast.literal_eval(value))
    return found


def _reachable(word: str, option: str, lent: dict[Path, str]) -> str:
    """``word`` as it is, or leading to where the file or folder it names is lent."""
    scheme, path = re.fullmatch(r"(file://)?(.*)", word, re.DOTALL).groups("")  # type: ignore[union-attr]
    place = Path(path)
    if not place.is_absolute() or not place.exists():
        return word
    if option.endswith("index-url"):
        # The links of an index lead to folders beside it.
        return f"{scheme}{_inside(place.parent, lent)}/{place.name}"
    return scheme + _inside(place, lent)


def _inside(path: Path, lent: dict[Path, str]) -> str:
    return lent.setdefault(path, f"{_LENT}/{len(lent)}-{path.name}")
