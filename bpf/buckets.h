/* SPDX-License-Identifier: GPL-2.0-only */
/* Which bucket a value belongs to. Plain C: the property tests compile it natively. */
INLINE u32 floor_log2(u64 value)
{
    u32 log = 0;
    if (value >> 32) { log += 32; value >>= 32; }
    if (value >> 16) { log += 16; value >>= 16; }
    if (value >> 8) { log += 8; value >>= 8; }
    if (value >> 4) { log += 4; value >>= 4; }
    if (value >> 2) { log += 2; value >>= 2; }
    return log + (value >> 1);
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
