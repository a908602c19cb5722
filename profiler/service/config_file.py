# SPDX-License-Identifier: GPL-2.0-only
"""The web config file as it is now: read again, in a thread of its own, when it or a file it names changed.

Requests and connections only look at :attr:`ConfigFile.current`; no one of them waits for a disk.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from .web_config import WebConfig, load

#: Of each file: device, inode, size, time of modification and of change in ns; None: not there.
_Fingerprint = tuple[tuple[int, int, int, int, int] | None, ...]


class ConfigFile:
    """The configuration in force, and what became of the last change.

    A change counts once it stood still for one check: a file that is being written is not read. A change
    that is wrong in any way leaves what was in force, and so does one that would switch TLS or the last user
    off (or TLS on): that takes a restart.

    :param path: the file; ``None``: none was given, and nothing is ever read.
    :param on_failure: called with the sentence for each new reason why a change was not taken.
    :param on_reload: called after a change was taken. Both are called in the thread that checks.
    :param interval: seconds between two checks.
    :param retry: seconds after which a change that failed is tried again.
    :raises UserError: when the file is wrong at the start.
    """

    def __init__(
        self,
        path: str | Path | None,
        on_failure: Callable[[str], None] = lambda _: None,
        on_reload: Callable[[], None] = lambda: None,
        *,
        interval: float = 1.0,
        retry: float = 10.0,
    ) -> None:
        self.current = WebConfig()
        self.reloads = 0
        """Changes taken."""
        self.failures = 0
        """Attempts to take a change that failed."""
        self._path = None if path is None else Path(path).absolute()
        self._on_failure, self._on_reload = on_failure, on_reload
        self._interval, self._retry = interval, retry
        self._reported: str | None = None
        self._retry_at: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loaded: _Fingerprint = ()
        if self._path is not None:
            self.current, self._loaded = _read(self._path)
        self._seen = self._loaded

    def directories(self) -> tuple[Path, ...]:
        """Directories in which the files, and what their links point to, may be replaced.

        For a sandbox: a permission for a file alone ends with the next rename over it.
        """
        found = {place for path in self.current.files for place in (path.parent, path.resolve().parent)}
        return tuple(sorted(found))

    def unreadable(self) -> tuple[Path, ...]:
        """Files that this process, as it is now, could not read again; reloading would fail."""
        return tuple(path for path in self.current.files if not os.access(path, os.R_OK))

    def start(self) -> None:
        """Begin to check; a thread that ends with :meth:`close` or the process."""
        if self._path is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="web-config", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Look once, and load what changed and stood still since the last look."""
        if self._path is None:
            return
        now = _fingerprint(self.current.files)
        still, self._seen = now == self._seen, now
        due = self._retry_at is not None and time.monotonic() >= self._retry_at
        if still and (due or (now != self._loaded and self._retry_at is None)):
            self._load(self._path)
        elif not still:
            self._retry_at = None

    def _load(self, path: Path) -> None:
        try:
            config, loaded = _read(path)
            self._refuse_restart_needed(path, config)
        except UserError as error:
            self.failures += 1
            self._retry_at = time.monotonic() + self._retry
            if str(error) != self._reported:
                self._reported = str(error)
                self._on_failure(f"{error} Until then the configuration read before stays in force.")
            return
        self._reported = self._retry_at = None
        self.current = config
        self.reloads += 1
        self._loaded = self._seen = loaded
        self._on_reload()

    def _refuse_restart_needed(self, path: Path, config: WebConfig) -> None:
        if (config.tls is None) != (self.current.tls is None):
            what = "on" if config.tls else "off"
            raise UserError(f"{path} switches TLS {what}, which a running server cannot; restart it.")
        if self.current.users and not config.users:
            raise UserError(f"{path} has no basic_auth_users any more; restart to serve everybody.")

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.check()


def _read(path: Path) -> tuple[WebConfig, _Fingerprint]:
    """The configuration, and its files as they were before it was read: a later change is seen as one."""
    before = _fingerprint(load(path).files)
    return load(path), before


def _fingerprint(paths: tuple[Path, ...]) -> _Fingerprint:
    return tuple(_one(path) for path in paths)


def _one(path: Path) -> tuple[int, int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
