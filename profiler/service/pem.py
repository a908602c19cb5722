# SPDX-License-Identifier: GPL-2.0-only
"""PEM data of the web config file, from a file of its own or written in place.

Python's ssl loads a certificate and a key only by file name. The bytes are therefore shown to it as an
anonymous file in memory: what is loaded is what was read, also when the file changes in between, and a key
written in place never reaches a disk.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .yaml_fields import Section

#: Far above any chain of certificates; a device or a log file named by mistake is not read to its end.
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Pem:
    """:param where: what to call it in a message. :param file: where it was read from, if from a file."""

    where: str
    file: Path | None
    data: bytes = field(repr=False)

    @contextmanager
    def as_file(self) -> Iterator[str]:
        """A path from which the bytes can be read within the block."""
        fd = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            with open(fd, "wb", closefd=False) as out:
                out.write(self.data)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)


def read_pem(section: Section, key: str, key_file: str) -> Pem | None:
    """What the keys *key* (in place) or *key_file* (a file, relative to the config file) hold.

    :returns: ``None`` when neither is there.
    :raises UserError: when both are, or the file cannot be read.
    """
    text, name = section.text(key), section.text(key_file)
    if text and name:
        raise section.bad(key, f"stands beside {key_file}", "keep one of the two")
    if text:
        return Pem(f"{section.path}: {key}", None, text.encode())
    if name:
        path = section.path.parent / name
        return Pem(str(path), path, read_small(path))
    return None


def read_small(path: Path) -> bytes:
    """The content of a regular file of at most 1 MiB.

    A pipe is refused: read a second time it would be empty, and so an empty configuration.

    :raises UserError: when it cannot be read, or is larger.
    """
    try:
        # Not blocking: opening a pipe waits for its other end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UserError(f"{path} is no regular file, so it cannot be read again; give a file.")
            data = file.read(_LARGEST + 1)
    except OSError as error:
        how = "let its user read it" if isinstance(error, PermissionError) else "correct the path"
        raise UserError(f"{path} cannot be read: {error.strerror}; {how}.") from None
    if len(data) > _LARGEST:
        raise UserError(f"{path} is larger than 1 MiB, so it is not what it should be; correct the path.")
    return data
