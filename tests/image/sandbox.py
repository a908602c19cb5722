# SPDX-License-Identifier: GPL-2.0-only
"""One process in the root file system of an image, as a container engine would start it: by bubblewrap.

All mounts are in a namespace that ends with the process; the machine never sees one of them.
"""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUILD_CAPABILITIES = frozenset(
    [
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "mknod",
        "net_bind_service",
        "net_raw",
        "setfcap",
        "setgid",
        "setpcap",
        "setuid",
        "sys_chroot",
        "audit_write",
    ]
)
"""What Docker gives by default (docs.docker.com, "Linux capabilities"); build steps have no other."""


@dataclass(frozen=True)
class Sandbox:
    """How a process is started.

    ``user``, ``group``: numeric. ``capabilities``: its bounding set, which root has in full.
    ``binds``: path of the machine → path inside, read-only. ``machine_pids``: it sees all processes of the
    machine, under their own numbers. ``writable``: whether the root file system is.
    """

    root: Path
    environment: Mapping[str, str]
    directory: str = "/"
    user: int = 0
    group: int = 0
    capabilities: frozenset[str] = BUILD_CAPABILITIES
    binds: Sequence[tuple[Path, str]] = field(default=())
    machine_pids: bool = False
    own_network: bool = False
    writable: bool = False

    def argv(self, command: Iterable[str], *options: str) -> list[str]:
        """The command line that runs ``command`` inside; ``options`` are more of bwrap's."""
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-uts"]
        words += [] if self.machine_pids else ["--unshare-pid"]
        words += ["--unshare-net"] if self.own_network else []
        words += ["--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        words += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys"]
        for outside, inside in self.binds:
            words += ["--ro-bind", str(outside), inside]
        words += ["--clearenv", "--chdir", self.directory]
        for name, value in self.environment.items():
            words += ["--setenv", name, value]
        return [*words, *options, "--", *self.rights(), *command]

    def rights(self) -> list[str]:
        """What a command is started by, inside, to have the user and the capabilities.

        bubblewrap itself leaves the bounding set whole; it does set no_new_privs.
        """
        allowed = ",".join(["-all", *(f"+{name}" for name in sorted(self.capabilities))])
        words = ["/usr/bin/setpriv", f"--bounding-set={allowed}", "--inh-caps=-all", "--ambient-caps=-all"]
        if self.user or self.group:
            words += [f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups"]
        return words

    def run(self, command: Iterable[str], timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run it to its end.

        :raises subprocess.TimeoutExpired: it was ended, and all it had started with it.
        """
        return subprocess.run(
            self.argv(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
