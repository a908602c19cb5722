# SPDX-License-Identifier: GPL-2.0-only
"""One of the two things that an experiment compares: a kernel, and perhaps a setting of it."""

import re
from dataclasses import dataclass

from ..errors import Exit, UserError
from ..lab.image import Kernel

HERE = "here"


@dataclass(frozen=True)
class Side:
    """``kernel``: :data:`HERE`, or what ``vm --kernel`` takes. ``fault_around_bytes``: ``None`` leaves it."""

    text: str
    kernel: str
    fault_around_bytes: int | None

    @property
    def is_here(self) -> bool:
        """Whether it is the running kernel."""
        return self.kernel == HERE


def parse(text: str) -> Side:
    """Read ``KERNEL[,fault_around_bytes=N]``.

    :raises UserError: it is not of that form.
    """
    kernel, comma, setting = text.partition(",")
    found = re.fullmatch(r"fault_around_bytes=([1-9]\d{3,6})", setting)
    if not kernel or (comma and not found):
        raise UserError(
            f"{text!r} is no side of an experiment; give a kernel as `vm --kernel` takes it, or {HERE}, and "
            f"perhaps a setting, as in {HERE},fault_around_bytes=4096.",
            Exit.USAGE,
        )
    return Side(text, kernel, int(found[1]) if found else None)


@dataclass(frozen=True)
class Machine:
    """Where a side's runs are made: ``kernel`` in a VM, or here if it is ``None``."""

    side: Side
    kernel: Kernel | None
