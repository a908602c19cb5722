# SPDX-License-Identifier: GPL-2.0-only
"""What is packed inside a bzImage, by any of the means that CONFIG_KERNEL_* offers on x86.

Which they are: arch/x86/boot/compressed/Makefile in the kernel's source. All but gzip are followed by the
unpacked size in four bytes (``size_append`` in scripts/Makefile.lib).
"""

import bz2
import lzma
import shutil
import subprocess
import zlib
from typing import Protocol

_SIZE_BYTES = 4

# First bytes → tool that unpacks it from stdin to stdout, for what Python has no module for.
_TOOLS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x89LZO": "lzop",
}


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def unpack(payload: bytes) -> bytes | None:
    """Return what is in ``payload``; None when it is damaged, of no known kind, or its tool is not here."""
    if payload.startswith(b"\xfd7zXZ\0"):
        return _whole(lzma.LZMADecompressor(lzma.FORMAT_XZ), payload)
    if payload.startswith(b"\x1f\x8b"):
        return unpack_gzip(payload)
    if payload.startswith(b"]\0\0"):
        return _whole(lzma.LZMADecompressor(lzma.FORMAT_ALONE), payload[:-_SIZE_BYTES])
    if payload.startswith(b"BZh"):
        return _whole(bz2.BZ2Decompressor(), payload)
    return _by_tool(payload)


def unpack_gzip(data: bytes) -> bytes | None:
    """Return what is in ``data``, which may go on after it; None when it is damaged, cut short or no gzip."""
    return _whole(zlib.decompressobj(wbits=31), data)


def _whole(decompressor: _Decompressor, data: bytes) -> bytes | None:
    try:
        content = decompressor.decompress(data)
    except (lzma.LZMAError, zlib.error, OSError):
        return None
    return content if decompressor.eof else None


def _by_tool(payload: bytes) -> bytes | None:
    tool = next((tool for magic, tool in _TOOLS.items() if payload.startswith(magic)), "")
    if not tool or shutil.which(tool) is None:
        return None
    done = subprocess.run([tool, "-dc"], input=payload[:-_SIZE_BYTES], capture_output=True, check=False)
    return None if done.returncode else done.stdout
