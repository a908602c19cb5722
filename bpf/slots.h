/* SPDX-License-Identifier: GPL-2.0-only */
/* Counter slots: twin of profiler/slots.py, which writes the SLOT_ and BUCKETS constants.
 *
 * One array, index = cpu × SLOTS + slot, mapped read-only by the reader. fentry programs can be
 * preempted on the cpu they run on, so a plain += may lose a count: all additions are atomic.
 * The maximum is a plain store: two programs interleaved on one cpu may leave the smaller of two
 * candidates, within the same highest bucket or one below. Nothing else can be off.
 */
struct slot {
    u64 count;
    u64 sum;
    u64 wait;
    u64 max;
    u64 bucket[BUCKETS];
};
BPF_F_TABLE("array", u32, struct slot, slots, SLOTS * CPUS, BPF_F_MMAPABLE);

INLINE void slot_add(u32 index, u64 value, u64 wait, u32 bucket)
{
    u32 key = bpf_get_smp_processor_id() * SLOTS + index;
    struct slot *slot = slots.lookup(&key);
    if (!slot)
        return;
    __sync_fetch_and_add(&slot->count, 1);
    __sync_fetch_and_add(&slot->sum, value);
    if (wait)
        __sync_fetch_and_add(&slot->wait, wait);
    if (value > slot->max)
        slot->max = value;
    if (bucket < BUCKETS)
        __sync_fetch_and_add(&slot->bucket[bucket], 1);
}

INLINE void slot_time(u32 index, u64 ns, u64 wait)
{
    slot_add(index, ns, wait, time_bucket(ns));
}

INLINE void slot_pages(u32 index, u64 pages)
{
    slot_add(index, pages, 0, page_bucket(pages));
}

/* A bare count: nothing is known of its size, so no bucket, and no sum. */
INLINE void slot_count(u32 index, u64 times)
{
    u32 key = bpf_get_smp_processor_id() * SLOTS + index;
    struct slot *slot = slots.lookup(&key);
    if (slot)
        __sync_fetch_and_add(&slot->count, times);
}

/* Times that took nothing: all in the first bucket. Of a constant 0 slot_time() would not do: clang makes an
 * atomic "or" of an addition of nothing, and before v5.12 an addition is the only atomic instruction.
 */
INLINE void slot_instant(u32 index, u64 times)
{
    u32 key = bpf_get_smp_processor_id() * SLOTS + index;
    struct slot *slot = slots.lookup(&key);
    if (!slot)
        return;
    __sync_fetch_and_add(&slot->count, times);
    __sync_fetch_and_add(&slot->bucket[0], times);
}

INLINE void missed(u32 reason)
{
    slot_count(SLOT_MISSED + reason, 1);
}
