/* SPDX-License-Identifier: GPL-2.0-only */
/* What a non-present pte says. Plain C: the property tests compile it natively. */

/* x86-64 (arch/x86/include/asm/pgtable_64.h): the type in bits 59-63, the offset inverted in 9-58. */
INLINE u64 swap_type(u64 pte)
{
    return pte >> 59;
}

INLINE u64 swap_offset(u64 pte)
{
    return (~pte << 5) >> 14;
}

INLINE u8 swap_kind(u64 pte)
{
    return swap_type(pte) < SWAP_FILES_AT_LEAST && swap_offset(pte) ? SWAP_SLOT : SWAP_OTHER;
}

/* Whether userfaultfd write-protects the page. Every entry says it by _PAGE_SWP_UFFD_WP, but a marker, which
 * stands for no page: its offset is made of flags, and the bits below are clear. What number its type has,
 * the configuration decides, so it is told by its offset: in the other special entries a page frame number
 * stands there, and no process has the first 64 KiB (arch/x86/kernel/setup.c).
 */
INLINE u8 swap_uffd_wp(u64 pte)
{
    u64 offset = swap_offset(pte);
    u8 marker = swap_type(pte) >= SWAP_FILES_AT_LEAST && offset && offset <= PTE_MARKERS
        && !(pte & SWP_LOW_BITS);
    return marker ? offset & PTE_MARKER_UFFD_WP : (pte & PAGE_SWP_UFFD_WP) != 0;
}
