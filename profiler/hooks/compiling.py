# SPDX-License-Identifier: GPL-2.0-only
"""From the options of a plan to compiled programs: kept from an earlier start, or compiled now.

Imported by nobody but the attaching child, and what compiles for guests.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import Exit, UserError
from . import by_host, kept, program
from .compiled import Compiled, compile_source


def compiled(options: Sequence[str]) -> Compiled:
    """The programs: kept, or compiled by the host or here, and then kept for the next start.

    :raises UserError: when they do not compile.
    :raises (ImportError, OSError): when BCC itself is not whole.
    """
    name = key(options)
    found = kept.load(name)
    if found is None:
        by_host.ask(name, options)
        found = kept.load(name)
    if found is None:
        found = compile_here(options)
        kept.store(name, found)
    return found


def key(options: Sequence[str]) -> str:
    """Under which they are kept."""
    return kept.key(program.source(), options, program.folder() / "include")


def compile_here(options: Sequence[str]) -> Compiled:
    """Compile in this process; raises as :func:`compiled` does."""
    os.environ["BCC_KERNEL_SOURCE"] = str(program.folder())
    with _captured_stderr() as said:
        try:
            return compile_source(program.source(), options)
        except (ImportError, OSError):  # BCC itself is not whole
            raise
        except Exception as error:
            raise UserError(
                f"BCC cannot compile the programs of {program.folder()}: "
                f"{_first_error(said()) or type(error).__name__}; reinstall Debian's python3-bpfcc, "
                "or report this line.",
                Exit.CANNOT_ATTACH,
            ) from error


@contextmanager
def _captured_stderr() -> Iterator[Callable[[], str]]:
    """LLVM and libbcc write to descriptor 2; keep it for the sentence that is ours to write."""
    saved = os.dup(2)
    capture = os.memfd_create("stderr")
    os.dup2(capture, 2)

    def said() -> str:
        size = os.fstat(capture).st_size
        return os.pread(capture, size, 0).decode(errors="replace")

    try:
        yield said
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(capture)


def _first_error(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if "error:" in line), "")[:300]
