# SPDX-License-Identifier: GPL-2.0-only
"""Packages of any Debian suite from the mirrors this machine is configured for, leaving its apt as it is.

Lists, cache and state are private; what is needed to reach the mirrors (proxies, credentials, transports)
stays the machine's. Nothing is installed.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import Exit, UserError
from profiler.lab.cache import disk_full

_SUITES = {"bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "testing", "unstable"}
_ALL_DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

NO_SPACE = re.compile(r"no space left|enough free space|disk quota exceeded", re.IGNORECASE)


@dataclass(frozen=True)
class Archives:
    """URIs, as configured on this machine, of Debian's main archive and of its security archive."""

    main: tuple[str, ...]
    security: tuple[str, ...]


def configured_archives() -> Archives:
    """Ask apt which mirrors the machine uses; what is no Debian archive is left out.

    :raises UserError: no apt here, or no Debian archive among its sources.
    """
    listing = run_tool(
        [
            "apt-get", "indextargets", "--no-release-info",
            "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages",
        ]
    )  # fmt: skip
    archives = parse_archives(listing.stdout)
    if listing.returncode or not archives.main:
        raise UserError(
            "no Debian archive is among apt's sources of this machine; "
            "add one under /etc/apt/sources.list.d, or give vm the path of a bzImage",
            Exit.CANNOT_TELL,
        )
    return archives


def parse_archives(listing: str) -> Archives:
    """Sort lines of ``URI release component`` into the archives that can hold a Debian kernel."""
    main: dict[str, None] = {}
    security: dict[str, None] = {}
    for line in listing.splitlines():
        words = line.split()
        if len(words) != 3 or words[2] != "main":
            continue
        suite = re.sub(r"(-security|/updates)$", "", words[1])
        if suite in _SUITES:
            (main if suite == words[1] else security)[words[0]] = None
    return Archives(tuple(main), tuple(security))


class PrivateApt:
    """An apt of our own in ``directory``, which must be empty; it sees ``suites`` of ``archives``.

    :param suites: such as ``bookworm``; the security archive's suite is added where there is such an archive.
    """

    def __init__(self, directory: Path, archives: Archives, suite: str) -> None:
        self._directory = directory
        self._configuration = directory / "apt.conf"
        for name in ("lists/partial", "cache/archives/partial", "sources"):
            (directory / name).mkdir(parents=True)
        (directory / "status").touch()
        (directory / "sources" / "debian.sources").write_text(sources(archives, suite))
        self._configuration.write_text(_configuration(directory))
        self.complaint = ""
        """The first error or warning of :meth:`update`, ``""`` if there was none."""

    def update(self) -> None:
        """Fetch the lists. A mirror that fails is a complaint, not an error: another may have the package."""
        done = self._run("apt-get", "update")
        self.complaint = _first_complaint(done.stderr + done.stdout)

    def package_names(self, prefix: str) -> list[str]:
        """Return the names of all packages that begin with ``prefix``, in no order."""
        return self._run("apt-cache", "pkgnames", prefix).stdout.split()

    def download(self, package: str) -> Path:
        """Fetch the newest version of ``package``; return the .deb.

        :raises UserError: it cannot be fetched.
        """
        done = self._run("apt-get", "download", package)
        found = list(self._directory.glob(f"{package}_*.deb"))
        if done.returncode or not found:
            raise UserError(
                f"cannot download {package}: {_first_complaint(done.stderr) or 'apt-get gave no file'}",
                Exit.CANNOT_TELL,
            )
        return found[0]

    def _run(self, tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [tool, "--config-file", str(self._configuration), "--quiet", *arguments]
        done = run_tool(command, directory=self._directory)
        if NO_SPACE.search(done.stderr):
            raise disk_full()
        return done


def sources(archives: Archives, suite: str) -> str:
    """Return a deb822 sources file for ``suite`` and its security updates."""
    stanzas = [_stanza(uri, suite) for uri in archives.main]
    if suite not in ("sid", "unstable"):  # fixes enter sid directly
        stanzas += [_stanza(uri, f"{suite}-security") for uri in archives.security]
    return "\n".join(stanzas)


def _stanza(uri: str, suite: str) -> str:
    signed_by = f"Signed-By: {_ALL_DEBIAN_KEYS}\n" if _ALL_DEBIAN_KEYS.exists() else ""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n{signed_by}"


def _configuration(directory: Path) -> str:
    """Read by apt after the machine's own configuration, which it corrects.

    The cleared hooks belong to the machine's package management (they delete caches, notify desktops).
    """
    return f"""\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
Acquire::Languages "none";
Acquire::Retries "2";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{directory}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{directory}";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
"""


def run_tool(command: Sequence[str], directory: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a tool of Debian's with messages in English; the caller looks at the exit code.

    :raises UserError: the tool is not installed.
    """
    try:
        return subprocess.run(
            command,
            cwd=directory,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise UserError(f"cannot run {command[0]}: {error.strerror}", Exit.CANNOT_TELL) from error


def must(command: Sequence[str], doing: str) -> str:
    """Run a tool that has to succeed; return its standard output.

    :param doing: ends the sentence ``cannot …``, such as ``unpack linux-source-6.1``.
    :raises UserError: it is not installed, the disk is full, or it failed: the first line of its complaint.
    """
    done = run_tool(command)
    if NO_SPACE.search(done.stderr):
        raise disk_full()
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise UserError(f"cannot {doing}, {command[0]} failed: {complaint}", Exit.CANNOT_TELL)
    return done.stdout


def _first_complaint(output: str) -> str:
    """Return apt's first error, else its first warning, without the ``E: `` before it."""
    return next(_marked(output, "E: "), next(_marked(output, "W: "), next(_marked(output, "Err:"), "")))


def _marked(output: str, mark: str) -> Iterator[str]:
    return (line.removeprefix(mark).strip() for line in output.splitlines() if line.startswith(mark))
