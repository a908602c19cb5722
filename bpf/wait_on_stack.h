/* SPDX-License-Identifier: GPL-2.0-only */
/* A wait in handle_userfault(), told from the stack of the thread that waits. handle_userfault() keeps its
 * userfaultfd_wait_queue there, and in it, side by side, the task and the function that will wake it. To
 * find the pair proves the wait and gives the message, its reason and address, at a tenth of the price of a
 * stack trace. A remnant of an earlier wait does not count: it is not linked into a queue.
 */
#if WAY_IS(userfault, tracepoint)
#define STACK_CHUNK 64 /* words looked at in one read */
struct stack_chunk {
    u64 word[STACK_CHUNK + 3]; /* private, func, entry.next: the three may straddle two chunks */
};
BPF_PERCPU_ARRAY(stack_chunks, struct stack_chunk, 1);

/* Every way out of handle_userfault() unlinks the entry: its next is then itself (list_del_init), or a
 * poison, which is no kernel address (list_del).
 */
INLINE bool is_linked(u64 next, u64 entry)
{
    return next != entry && (next >> 48) == 0xffff;
}

INLINE u64 userfault_on_stack(u64 task, u32 chunks)
{
    u32 zero = 0;
    struct stack_chunk *chunk = stack_chunks.lookup(&zero);
    if (!chunk)
        return 0;
    u64 base = FIELD64(task, task_struct__stack) + THREAD_SIZE - sizeof(chunk->word);
#pragma nounroll
    for (u32 n = 0; n < STACK_CHUNKS_KERNEL && n < chunks; n++) {
        if (bpf_probe_read_kernel(chunk->word, sizeof(chunk->word), (void *)base))
            return 0;
/* One branch a word, and unrolled: the verifier keeps a state for each turn, and compares them all. */
#pragma clang loop unroll_count(8)
        for (u32 i = 0; i < STACK_CHUNK; i++) {
            u64 differs = (chunk->word[i] ^ task) | (chunk->word[i + 1] ^ ADDRESS_userfaultfd_wake_function);
            asm volatile("" : "+r"(differs));
            if (differs)
                continue;
            if (is_linked(chunk->word[i + 2], base + (i + 2) * 8))
                return base + i * 8 - OFF_userfaultfd_wait_queue__wq - OFF_wait_queue_entry__private;
            break; /* a remnant: go on with the next chunk */
        }
        base -= STACK_CHUNK * 8;
    }
    return 0;
}
#endif
