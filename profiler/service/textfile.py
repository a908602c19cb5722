# SPDX-License-Identifier: GPL-2.0-only
"""``--output.textfile``: the scrape as a file for the node exporter's textfile collector."""

import os
from contextlib import suppress
from pathlib import Path

from ..errors import Exit, UserError


class Textfile:
    """A file that is always whole: written beside, then renamed.

    The folder is opened now and written to later, by nobody.

    :raises UserError: when the folder cannot be opened, or the name is not one that the collector reads.
    """

    def __init__(self, path: str) -> None:
        target = Path(path)
        if target.suffix != ".prom":
            raise UserError(
                f"--output.textfile {path}: the node exporter reads files that end in .prom alone."
            )
        self._path = path
        self._name = target.name
        self._beside = f"{target.name}.{os.getpid()}"
        try:
            self.folder = os.open(target.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(
                f"The folder of --output.textfile {path} cannot be opened ({error.strerror}); "
                "give one that exists.",
                Exit.OUTPUT,
            ) from error

    def write(self, body: bytes) -> None:
        """Replace the file.

        :raises UserError: when it cannot be written.
        """
        try:
            fd = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=self.folder)
            with os.fdopen(fd, "wb") as file:
                file.write(body)
            os.replace(self._beside, self._name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except OSError as error:
            self._forget(self._beside)
            raise UserError(
                f"{self._path} cannot be written ({error.strerror}); its folder must be writable for "
                f"uid {os.geteuid()}, as which the service runs.",
                Exit.OUTPUT,
            ) from error

    def remove(self) -> None:
        """Figures of a service that has ended would look like those of one that is quiet."""
        self._forget(self._name)
        os.close(self.folder)

    def _forget(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self.folder)
