/* SPDX-License-Identifier: GPL-2.0-only */
/* What a non-present pte says: twin of profiler/pte, which has the sources of each fact. Plain C: the property
 * tests compile it natively.
 */

/* x86-64 (arch/x86/include/asm/pgtable_64.h): the type in bits 59-63, the offset inverted in 9-58. */
INLINE u64 swap_type(u64 pte)
{
    return pte >> 59;
}

INLINE u64 swap_offset(u64 pte)
{
    return (~pte << 5) >> 14;
}

#define SWAP_OFFSET_MAX ((1ULL << 50) - 1)

/* The way in which a patched kernel says "uffd-wp, and the page is gone", of those proposed before there were pte
 * markers: profiler/pte/proposals.py. Which one, the user tells; prot-none (5) is present, and never comes here.
 */
INLINE bool swap_is_proposed(u64 pte, u64 type, u64 offset, u32 kind, bool anonymous)
{
#if UFFD_WP_ENTRY == 1
    return type == 1 && !offset;
#elif UFFD_WP_ENTRY == 2
    bool bare = (pte & PAGE_SWP_UFFD_WP) && (!offset || offset == SWAP_OFFSET_MAX);
    return !anonymous && !type && (offset == PAGE_SWP_UFFD_WP || bare);
#elif UFFD_WP_ENTRY == 3
    return kind == SWAP_KIND_MIGRATION && !offset;
#elif UFFD_WP_ENTRY == 4
    return kind == SWAP_KIND_MIGRATION && offset == SWAP_OFFSET_MAX;
#else
    return false;
#endif
}

/* SWAP_KINDS_0 and SWAP_KINDS_16 are tables of this kernel's 32 types, four bits each. Of a marker the offset
 * decides, by the first bit that is set in the order of handle_pte_marker() (mm/memory.c). Offset 0 is a swap
 * area's header, and entry 0:0 is none at all: never a swap-in.
 */
INLINE u32 swap_kind(u64 pte, bool anonymous)
{
    u64 type = swap_type(pte), offset = swap_offset(pte);
    u32 kind = (type < 16 ? SWAP_KINDS_0 : SWAP_KINDS_16) >> (type & 15) * 4 & 15;
    if (swap_is_proposed(pte, type, offset, kind, anonymous))
        return SWAP_KIND_UFFD_WP_SPECIAL;
    if (kind == SWAP_KIND_SWAP_SLOT && !offset)
        return SWAP_KIND_OTHER;
    if (kind != SWAP_KIND_MARKER)
        return kind;
    if (offset & PTE_MARKER_SERIOUS)
        return SWAP_KIND_SERIOUS;
    if (offset & PTE_MARKER_GUARD)
        return SWAP_KIND_MARKER_GUARD;
    return offset & PTE_MARKER_UFFD_WP ? SWAP_KIND_MARKER_UFFD_WP : SWAP_KIND_OTHER;
}

/* Whether userfaultfd write-protects the page. Every entry says it by _PAGE_SWP_UFFD_WP, but a marker, which
 * stands for no page: its offset is made of flags, and the bits below are clear. One that the layout cannot
 * tell from other special entries is told by that: in those a page frame number stands there, and no process
 * has the first 64 KiB (arch/x86/kernel/setup.c).
 */
INLINE bool swap_uffd_wp(u64 pte, u32 kind)
{
    u64 offset = swap_offset(pte);
    if (kind == SWAP_KIND_UFFD_WP_SPECIAL)
        return true;
    bool marker = kind == SWAP_KIND_MARKER_UFFD_WP || kind == SWAP_KIND_MARKER_GUARD || kind == SWAP_KIND_SERIOUS;
    if (kind == SWAP_KIND_SPECIAL)
        marker = offset && offset <= PTE_MARKERS && !(pte & SWP_LOW_BITS);
    return marker ? offset & PTE_MARKER_UFFD_WP_BIT : (pte & PAGE_SWP_UFFD_WP) != 0;
}
