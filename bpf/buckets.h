/* SPDX-License-Identifier: GPL-2.0-only */
/* Which bucket a value belongs to. Plain C: the property tests compile it natively. */

/* Bits below the highest are filled up, then counted: without a branch, of which the verifier would
 * follow both sides. 64 bits: Hacker's Delight, 5-1.
 */
INLINE u32 floor_log2(u64 value)
{
    value |= value >> 1;
    value |= value >> 2;
    value |= value >> 4;
    value |= value >> 8;
    value |= value >> 16;
    value |= value >> 32;
    value >>= 1;
    value -= (value >> 1) & 0x5555555555555555ULL;
    value = (value & 0x3333333333333333ULL) + ((value >> 2) & 0x3333333333333333ULL);
    value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (value * 0x0101010101010101ULL) >> 56;
}

/* The smallest j with ns <= TIME_UNIT × 2^j; BUCKETS or more lies above the last boundary. */
INLINE u32 time_bucket(u64 ns)
{
    return ns <= TIME_UNIT ? 0 : floor_log2((ns - 1) / TIME_UNIT) + 1;
}

/* 0 for nothing, then the smallest j with pages <= 2^(j-1). */
INLINE u32 page_bucket(u64 pages)
{
    return pages == 0 ? 0 : pages == 1 ? 1 : floor_log2(pages - 1) + 2;
}
