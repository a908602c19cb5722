/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of threads that wait in handle_userfault() now: read by profiler/reader.py.
 *
 * Mapped by the reader. A free row is taken from and given back to a queue, filled by the attaching
 * child: no two threads share a row, and none is searched for. start_ns == 0 means free.
 */
struct waiting {
    u64 start_ns;
    u64 address;
    u32 tid;
    u32 tgid;
    u32 reason;
    u32 backing;
};
BPF_F_TABLE("array", u32, struct waiting, waiting, WAITING_ROWS, BPF_F_MMAPABLE);
BPF_QUEUE(waiting_free, u32, WAITING_ROWS);

INLINE void waiting_add(struct thread *thread)
{
    u32 row;
    if (waiting_free.pop(&row)) {
        missed(MISSED_WAITING_FULL);
        return;
    }
    struct waiting *entry = waiting.lookup(&row);
    if (!entry)
        return;
    u64 id = bpf_get_current_pid_tgid();
    entry->tid = id;
    entry->tgid = id >> 32;
    entry->address = thread->userfault_page;
    entry->reason = thread->reason;
    entry->backing = thread->userfault_backing;
    entry->start_ns = thread->userfault_enter;
    thread->userfault_index = row + 1;
}

INLINE void waiting_remove(struct thread *thread)
{
    if (!thread->userfault_index)
        return;
    u32 row = thread->userfault_index - 1;
    thread->userfault_index = 0;
    struct waiting *entry = waiting.lookup(&row);
    if (entry)
        entry->start_ns = 0;
    waiting_free.push(&row, 0);
}
