/* SPDX-License-Identifier: GPL-2.0-only */
/* What a non-present pte says. Plain C: the property tests compile it natively. */

/* x86-64 (arch/x86/include/asm/pgtable_64.h): the type in bits 59-63, the offset inverted in 9-58. */
INLINE u8 swap_kind(u64 pte)
{
    u64 type = pte >> 59;
    u64 offset = (~pte << 5) >> 14;
    return type < SWAP_FILES_AT_LEAST && offset ? SWAP_SLOT : SWAP_OTHER;
}
