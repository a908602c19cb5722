# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of page table entry, by names that serve as label values."""

NONE, PRESENT, PROT_NONE = "none", "present", "prot_none"
NO_ENTRY, SWAP_HEADER, SWAP_SLOT = "no_entry", "swap_header", "swap_slot"
MIGRATION_READ = "migration_read"
MIGRATION_READ_EXCLUSIVE = "migration_read_exclusive"
MIGRATION_WRITE = "migration_write"
DEVICE_PRIVATE_READ, DEVICE_PRIVATE_WRITE = "device_private_read", "device_private_write"
DEVICE_EXCLUSIVE = "device_exclusive"
DEVICE_EXCLUSIVE_READ, DEVICE_EXCLUSIVE_WRITE = "device_exclusive_read", "device_exclusive_write"
HWPOISON = "hwpoison"
MARKER, MARKER_UFFD_WP = "marker", "marker_uffd_wp"
MARKER_POISON, MARKER_GUARD = "marker_poison", "marker_guard"
SWAPIN_ERROR = "swapin_error"
UFFD_WP_SPECIAL = "uffd_wp_special"

MEANING = {
    NONE: "nothing is mapped, or not yet",
    PRESENT: "a page is mapped",
    PROT_NONE: "a page is mapped, but no access is allowed: PROT_NONE, or a NUMA hinting fault is wanted",
    NO_ENTRY: "swap entry 0:0, which stands for no entry; never a swap-in",
    SWAP_HEADER: "slot 0 of a swap area, where its header lies; no page is ever there",
    SWAP_SLOT: "the page is in swap",
    MIGRATION_READ: "the page is being moved; it was mapped read-only",
    MIGRATION_READ_EXCLUSIVE: "the page is being moved; it was mapped read-only and is this process's alone",
    MIGRATION_WRITE: "the page is being moved; it was mapped writable",
    DEVICE_PRIVATE_READ: "the page is in a device's memory, to be read",
    DEVICE_PRIVATE_WRITE: "the page is in a device's memory, to be written",
    DEVICE_EXCLUSIVE: "a device has the page for itself",
    DEVICE_EXCLUSIVE_READ: "a device has the page for itself; it was mapped read-only",
    DEVICE_EXCLUSIVE_WRITE: "a device has the page for itself; it was mapped writable",
    HWPOISON: "the page's memory is broken; a touch gives SIGBUS",
    MARKER: "pte marker with several bits, or none that this kernel knows",
    MARKER_UFFD_WP: "pte marker: the page is not mapped, and userfaultfd write-protects it",
    MARKER_POISON: "pte marker: a touch gives SIGBUS (UFFDIO_POISON, or a failed swap-in)",
    MARKER_GUARD: "pte marker: guard region (MADV_GUARD_INSTALL); a touch gives SIGSEGV",
    SWAPIN_ERROR: "the page could not be read back from swap; a touch gives SIGBUS",
    UFFD_WP_SPECIAL: "the page is not mapped, and userfaultfd write-protects it, by the chosen proposal",
}
"""Every kind, and what it says in words."""

WITH_PFN = frozenset(
    {
        MIGRATION_READ,
        MIGRATION_READ_EXCLUSIVE,
        MIGRATION_WRITE,
        DEVICE_PRIVATE_READ,
        DEVICE_PRIVATE_WRITE,
        DEVICE_EXCLUSIVE,
        DEVICE_EXCLUSIVE_READ,
        DEVICE_EXCLUSIVE_WRITE,
        HWPOISON,
    }
)
"""Their offset holds a page frame number (``softleaf_has_pfn()``, include/linux/leafops.h; before it
``is_pfn_swap_entry()`` and ``is_hwpoison_entry()``, include/linux/swapops.h)."""
MIGRATION = frozenset({MIGRATION_READ, MIGRATION_READ_EXCLUSIVE, MIGRATION_WRITE})
MARKERS = {"uffd_wp": MARKER_UFFD_WP, "poison": MARKER_POISON, "guard": MARKER_GUARD} | {
    "swapin_error": SWAPIN_ERROR
}
"""Name of a marker's bit → the kind when it is the only one."""

LABELS = (
    "swap_slot",
    "migration",
    "device",
    "hwpoison",
    "marker_uffd_wp",
    "marker_poison",
    "marker_guard",
    "swapin_error",
    "uffd_wp_special",
    "special",
    "other",
)
"""The closed set of coarse kinds that reach ``do_swap_page()``. ``special``: one of several that the
layout cannot tell apart; ``other``: no kernel puts it there on purpose."""


def label_of(kind: str) -> str:
    """The coarse kind; ``none`` and ``present`` for what never reaches ``do_swap_page()``."""
    if kind in MIGRATION:
        return "migration"
    if kind.startswith("device_"):
        return "device"
    if kind in (NO_ENTRY, SWAP_HEADER, MARKER):
        return "other"
    return "present" if kind == PROT_NONE else kind
