# SPDX-License-Identifier: GPL-2.0-only
"""Layouts by name: kernels whose configuration was read from their packages."""

from ..errors import UserError
from .layout import Facts, Layout, candidates

_DEBIAN = {
    "migration": True,
    "memory_failure": True,
    "device_private": False,
    "mem_soft_dirty": True,
    "have_arch_userfaultfd_wp": True,
}
_CLOUD = {"memory_failure": False}

_NAMED: dict[str, tuple[str, dict[str, bool]]] = {
    "debian-5.10": ("before-device-exclusive", {"five_level": False}),
    "debian-5.10-cloud": ("before-device-exclusive", {"five_level": False} | _CLOUD),
    "debian-6.1": ("migration-young-dirty", {"pte_marker": True}),
    "debian-6.1-cloud": ("migration-young-dirty", {"pte_marker": True} | _CLOUD),
    "debian-6.12": ("poison-marker", {}),
    "debian-7.2": ("one-device-exclusive", {"device_private": True}),
}
NAMES = tuple(_NAMED)
"""Where the cloud flavour of a kernel is not named, it has the numbers of the standard one."""


def named(name: str) -> Layout:
    """The layout of that name.

    Only whether a machine of that kernel uses 5-level page tables stays open where it can: it decides
    where in a migration entry the pfn ends.

    :raises UserError: when there is none of that name.
    """
    try:
        generation, options = _NAMED[name]
    except KeyError:
        raise UserError(
            f"There is no layout {name!r}; give one of {', '.join(NAMES)}, or a kernel's configuration "
            "with --config."
        ) from None
    facts = Facts(options=_DEBIAN | options, generation={"name": generation})
    return Layout(name, candidates(facts), ("the kernel's package",))
