/* SPDX-License-Identifier: GPL-2.0-only */
/* Of each reason, backing and bucket the last slow userfault: read by newest() in profiler/reader.py.
 *
 * Each CPU has rows of its own, but a program can be preempted, and another one on the same CPU want the same
 * row. begun counts who came and done who left: one who finds that he is not alone writes nothing, so a row
 * is whole whenever the two are equal. The additions are barriers, and there is no compare-and-swap for BPF
 * before v5.12.
 */
struct recent {
    u64 begun;
    u64 done;
    u64 ns;
    u64 end_ns;
    u32 tgid;
    u32 tid;
};
BPF_F_TABLE("array", u32, struct recent, recent, RECENT_ROWS * CPUS, BPF_F_MMAPABLE);

/* How many are inside; one who leaves between the two readings is taken for still there. */
INLINE u64 recent_inside(struct recent *row)
{
    u64 done = *(volatile u64 *)&row->done;
    return *(volatile u64 *)&row->begun - done;
}

/* Only after the event was counted: a reader who sees the note then finds it in the counts. */
INLINE void recent_note(u32 reason_and_backing, u64 ns, u64 end_ns)
{
    u32 bucket = time_bucket(ns);
    if (bucket < SLOW_BUCKET)
        return;
    u32 slow = bucket < BUCKETS ? bucket - SLOW_BUCKET : SLOW_BUCKETS - 1;
    u32 key = bpf_get_smp_processor_id() * RECENT_ROWS + reason_and_backing * SLOW_BUCKETS + slow;
    struct recent *row = recent.lookup(&key);
    if (!row)
        return;
    __sync_fetch_and_add(&row->begun, 1);
    if (recent_inside(row) == 1) {
        row->ns = ns;
        row->end_ns = end_ns;
        u64 id = bpf_get_current_pid_tgid();
        row->tgid = id >> 32;
        row->tid = id;
    }
    __sync_fetch_and_add(&row->done, 1);
}
