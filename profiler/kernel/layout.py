# SPDX-License-Identifier: GPL-2.0-only
"""Structure layout of the running kernel as constants for the BPF side (``bpf/kernel.h``)."""

from contextlib import suppress

from .btf import Btf

# Where a member has had several names, the alternatives, newest first.
_MEMBERS: dict[str, tuple[str, ...]] = {
    "vm_fault__vma": ("vma",),
    "vm_fault__flags": ("flags",),
    "vm_fault__address": ("address",),
    "vm_fault__orig_pte": ("orig_pte",),
    "vm_area_struct__vm_start": ("vm_start",),
    "vm_area_struct__vm_end": ("vm_end",),
    "vm_area_struct__vm_mm": ("vm_mm",),
    "vm_area_struct__vm_flags": ("vm_flags",),
    "vm_area_struct__vm_ops": ("vm_ops",),
    "vm_area_struct__vm_file": ("vm_file",),
    "vm_area_struct__vm_userfaultfd_ctx": ("vm_userfaultfd_ctx",),
    "vm_operations_struct__map_pages": ("map_pages",),
    "file__f_inode": ("f_inode",),
    "inode__i_sb": ("i_sb",),
    "super_block__s_magic": ("s_magic",),
    "task_struct__pid": ("pid",),
    "task_struct__tgid": ("tgid",),
    "task_struct__mm": ("mm",),
    "task_struct__flags": ("flags",),
    "task_struct__stack": ("stack",),
    "task_struct__signal": ("signal",),
    # Linux kernel commit 2f064a59a11f ("sched: Change task_struct::state") (in v5.14)
    "task_struct__state": ("__state", "state"),
    "task_struct__pagefault_disabled": ("pagefault_disabled",),
    "signal_struct__live": ("live",),
    "thread_info__status": ("status",),
    "task_struct__thread_info": ("thread_info",),
    "userfaultfd_ctx__flags": ("flags",),
    "userfaultfd_ctx__features": ("features",),
    "userfaultfd_wait_queue__msg": ("msg",),
    "userfaultfd_wait_queue__wq": ("wq",),
    "userfaultfd_wait_queue__waken": ("waken",),
    "wait_queue_entry__private": ("private",),
    "wait_queue_entry__func": ("func",),
    "wait_queue_entry__entry": ("entry",),
}

# Linux kernel commit d4af56c5c7c6 ("mm: start tracking VMAs with maple tree") (in v6.1)
_MAPLE_MEMBERS: dict[str, tuple[str, ...]] = {
    "mm_struct__mm_mt": ("mm_mt",),
    "maple_tree__ma_root": ("ma_root",),
    "maple_range_64__slot": ("slot",),
    "maple_arange_64__slot": ("slot",),
}

# Until then, a red-black tree.
_RB_MEMBERS: dict[str, tuple[str, ...]] = {
    "mm_struct__mm_rb": ("mm_rb",),
    "rb_root__rb_node": ("rb_node",),
    "rb_node__rb_left": ("rb_left",),
    "rb_node__rb_right": ("rb_right",),
    "vm_area_struct__vm_rb": ("vm_rb",),
}

# include/linux/mm.h: folio_order(). Where struct folio has a _folio_order instead, none of several pages is
# ever read from swap.
_FOLIO_MEMBERS: dict[str, tuple[str, ...]] = {
    "folio__flags": ("flags",),
    "folio___flags_1": ("_flags_1",),
}


class MissingMemberError(Exception):
    """The kernel has no structure or member that the programs need; ``str()`` names it."""


def _offsets(btf: Btf, members: dict[str, tuple[str, ...]]) -> dict[str, int]:
    found = {}
    for key, names in members.items():
        struct = key.split("__")[0]
        for name in names:
            try:
                found[f"OFF_{key}"] = btf.member(struct, name).offset
                break
            except KeyError:
                continue
        else:
            raise MissingMemberError(f"struct {struct} has no member {names[0]}")
    return found


def offsets(btf: Btf) -> dict[str, int]:
    """``OFF_<struct>__<member>`` in bytes.

    :raises MissingMemberError: when this kernel lacks one.
    """
    found = _offsets(btf, _MEMBERS)
    private = found["OFF_wait_queue_entry__private"]
    neighbours = found["OFF_wait_queue_entry__func"], found["OFF_wait_queue_entry__entry"]
    if neighbours != (private + 8, private + 16):  # bpf/userfault.c looks for the three side by side
        raise MissingMemberError("struct wait_queue_entry has its members in an unknown order")
    return found


def folio_order(btf: Btf) -> dict[str, int]:
    """Constants for ``bpf/swap_read.c``: where a folio's order stands; none if it stands elsewhere."""
    with suppress(KeyError):
        btf.member("folio", "_folio_order")
        return {}
    try:
        return _offsets(btf, _FOLIO_MEMBERS) | {"PG_HEAD": btf.enum_value("pageflags", "PG_head")}
    except (MissingMemberError, KeyError):
        return {}


def tree_of_vmas(btf: Btf) -> dict[str, int]:
    """Constants for ``bpf/find_vma.h``: of a maple tree, else of a red-black tree.

    :raises MissingMemberError: when this kernel keeps its VMAs in neither, or lays a maple tree's nodes out
        so that the walk does not know them.
    """
    try:
        btf.member("mm_struct", "mm_mt")
    except KeyError:
        return _offsets(btf, _RB_MEMBERS)
    return _maple_tree(btf)


def _maple_tree(btf: Btf) -> dict[str, int]:
    found = _offsets(btf, _MAPLE_MEMBERS)
    try:
        found |= {
            "MAPLE_LEAF_64": btf.enum_value("maple_type", "maple_leaf_64"),
            "MAPLE_ARANGE_64": btf.enum_value("maple_type", "maple_arange_64"),
            "MAPLE_RANGE_64_PIVOTS": btf.member("maple_range_64", "pivot").count,
            "MAPLE_ARANGE_64_PIVOTS": btf.member("maple_arange_64", "pivot").count,
        }
    except KeyError as error:
        raise MissingMemberError(f"BTF describes no {error}") from error
    for struct in ("maple_range_64", "maple_arange_64"):
        pivot = btf.member(struct, "pivot")
        if pivot.offset != 8 or pivot.count > 15:
            raise MissingMemberError(f"struct {struct} has its pivots at an unknown place")
    return found
