/* SPDX-License-Identifier: GPL-2.0-only */
/* Userfaults.
 *
 * One unit is one fault, by thread and page, however often the kernel re-enters handle_userfault() for it
 * (a wake without a fill, a signal: fs/userfaultfd.c, mm/userfaultfd.c since v7.x). Each stay inside is
 * one wait. Callers that may not wait (FAULT_FLAG_RETRY_NOWAIT) are counted apart.
 */
INLINE u32 userfault_slot(struct thread *thread)
{
    return thread->reason * BACKINGS + thread->userfault_backing;
}

INLINE void userfault_finish(struct thread *thread, u32 result)
{
    thread->userfault_open = 0;
    slot_time(SLOT_USERFAULT + userfault_slot(thread) * RESULTS + result, thread->userfault_wait, 0);
}

INLINE void userfault_wait_ended(struct thread *thread)
{
    u64 ns = bpf_ktime_get_ns() - thread->userfault_enter;
    thread->userfault_enter = 0;
    thread->userfault_asleep = 0;
    thread->awake_message = 0;
    thread->userfault_wait += ns;
    thread->waited += ns;
    slot_time(SLOT_USERFAULT_WAIT + userfault_slot(thread), ns, 0);
    waiting_remove(thread);
}

/* Another fault of the thread, or its end, shows that the open one is over. After a signal it never came
 * back for the page: interrupted. A GUP fault need not come back (the page is found present): resolved.
 */
INLINE void userfault_left(struct thread *thread)
{
    if (thread->userfault_open)
        userfault_finish(thread, thread->userfault_by_gup ? RESULT_RESOLVED : RESULT_INTERRUPTED);
}

/* One wait more, of the open userfault or of a new one. */
INLINE void userfault_wait_begins(struct thread *thread, u64 page, u8 reason, u8 backing)
{
    if (thread->userfault_page != page || thread->reason != reason)
        userfault_left(thread);
    if (!thread->userfault_open) {
        thread->userfault_open = 1;
        thread->userfault_page = page;
        thread->reason = reason;
        thread->userfault_backing = backing;
        thread->userfault_wait = 0;
        thread->userfault_by_gup = thread->origin == ORIGIN_GUP;
        slot_count(SLOT_USERFAULT_BEGUN + userfault_slot(thread), 1);
    }
    thread->facts |= FACT_USERFAULT;
    slot_count(SLOT_USERFAULT_WAIT_BEGUN + userfault_slot(thread), 1);
}

INLINE void userfault_begin(struct thread *thread, u64 page, u8 reason, u8 backing)
{
#if WAY_IS(userfault, kprobe)
    if (thread->userfault_enter) /* woken before it got to sleep: the scheduler did not tell its end */
        userfault_wait_ended(thread);
#endif
    userfault_wait_begins(thread, page, reason, backing);
    thread->userfault_enter = bpf_ktime_get_ns();
    thread->userfault_asleep = 0;
    waiting_add(thread);
}

INLINE u8 userfault_reason(u64 reason)
{
    return reason == VM_UFFD_MISSING ? REASON_MISSING : reason == VM_UFFD_WP ? REASON_WP : REASON_MINOR;
}

#if WAY_IS(userfault, kprobe)
/* A return probe would lose the returns of all but a few sleepers (kernel/kprobes.c: maxactive), and its
 * pool can only be enlarged through tracefs, where a probe outlives its owner. So the result is told at
 * entry, by the tests that handle_userfault() itself makes, in any kernel since v5.10: everything that
 * passes them waits, and the wait ends when the scheduler runs the thread again.
 */
INLINE bool userfault_is_refused(u64 vmf, u64 vma, u32 flags)
{
    u64 task = bpf_get_current_task();
    u64 context = FIELD64(vma, vm_area_struct__vm_userfaultfd_ctx);
    if (!context || (FIELD32(task, task_struct__flags) & (PF_EXITING | PF_DUMPCORE)))
        return true;
    if (FIELD32(context, userfaultfd_ctx__features) & UFFD_FEATURE_SIGBUS)
        return true;
    if (!(flags & FAULT_FLAG_USER) && (FIELD32(context, userfaultfd_ctx__flags) & UFFD_USER_MODE_ONLY))
        return true;
    return !(flags & FAULT_FLAG_ALLOW_RETRY);
}
#endif

INLINE void handle_userfault_entered(u64 vmf, u64 reason)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin)
        return;
    u64 vma = FIELD64(vmf, vm_fault__vma);
    u32 flags = FIELD32(vmf, vm_fault__flags);
    u64 page = FIELD64(vmf, vm_fault__address) & PAGE_MASK;
    u8 backing = region_backing(vma, FIELD64(vma, vm_area_struct__vm_flags));
    u8 code = userfault_reason(reason);
    if (flags & FAULT_FLAG_RETRY_NOWAIT) {
        u32 index = SLOT_USERFAULT + (code * BACKINGS + backing) * RESULTS + RESULT_NOWAIT;
        slot_time(index, 0, 0);
        return;
    }
#if WAY_IS(userfault, kprobe)
    if (userfault_is_refused(vmf, vma, flags)) {
        userfault_begin(thread, page, code, backing);
        userfault_wait_ended(thread);
        userfault_finish(thread, RESULT_SIGBUS);
        return;
    }
#endif
    userfault_begin(thread, page, code, backing);
}
PROBE2(userfault, handle_userfault, handle_userfault_entered)

#if WAY_IS(userfault, fentry)
INLINE void handle_userfault_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->userfault_enter)
        return;
    userfault_wait_ended(thread);
    if ((u32)result & VM_FAULT_SIGBUS)
        userfault_finish(thread, RESULT_SIGBUS);
}
RETURN(userfault, handle_userfault, handle_userfault_returned)
#endif

#if WAY_IS(userfault, tracepoint)
/* The wait seen from the scheduler. handle_userfault() keeps its userfaultfd_wait_queue on the stack of
 * the faulting thread, and in it, side by side, the task and the function that will wake it. To find the
 * pair on one's own stack proves the wait and gives the message, its reason and address, at a tenth of
 * the price of a stack trace. A remnant of an earlier wait does not count: it is not linked into a queue.
 */
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

/* struct uffd_msg is ABI (include/uapi/linux/userfaultfd.h): flags at 8, address at 16. */
INLINE u64 message_flags(u64 queue)
{
    return read_u64(queue + OFF_userfaultfd_wait_queue__msg + 8);
}

INLINE u64 message_page(u64 queue)
{
    return read_u64(queue + OFF_userfaultfd_wait_queue__msg + 16) & PAGE_MASK;
}

INLINE u8 message_reason(u64 flags)
{
    return flags & UFFD_PAGEFAULT_FLAG_WP ? REASON_WP
        : flags & UFFD_PAGEFAULT_FLAG_MINOR ? REASON_MINOR : REASON_MISSING;
}

INLINE bool userfault_region(struct thread *thread, u64 vma)
{
    if (!vma) {
        missed(MISSED_VMA_UNKNOWN);
        return false;
    }
    if (!(thread->facts & FACT_REGION) && (thread->facts & FACT_RAN))
        thread->facts |= FACT_RAN_FIRST;
    region_note(thread, vma);
    return true;
}

INLINE u32 stack_chunks_of(struct thread *thread)
{
    return thread->origin == ORIGIN_USER ? STACK_CHUNKS_USER : STACK_CHUNKS_KERNEL;
}

/* A monitor that is quick, or a thread that is preempted on its way to sleep: the wake-up comes first, and
 * the scheduler never sees the thread sleep. The waker leaves a note, for the thread to account for: only
 * one of them may write the counts.
 */
#define AWAKE_SEEN (1ULL << 63)

int raw_sched_waking(struct bpf_raw_tracepoint_args *ctx)
{
    u64 task = ctx->args[0];
    u32 tid = FIELD32(task, task_struct__pid);
    struct thread *thread = threads.lookup(&tid);
    if (!thread || !thread->begin || thread->userfault_enter)
        return 0;
    u64 queue = userfault_on_stack(task, stack_chunks_of(thread));
    if (!queue)
        return 0;
    thread->awake_page = message_page(queue);
    thread->awake_message = message_flags(queue) | AWAKE_SEEN;
    return 0;
}

INLINE void userfault_never_slept(struct thread *thread, u64 vma)
{
    u64 flags = thread->awake_message;
    if (!(flags & AWAKE_SEEN))
        return;
    thread->awake_message = 0;
    if (!userfault_region(thread, vma))
        return;
    userfault_wait_begins(thread, thread->awake_page, message_reason(flags), thread->backing);
    slot_time(SLOT_USERFAULT_WAIT + userfault_slot(thread), 0, 0);
}

INLINE void userfault_asleep(struct thread *thread, u64 task)
{
    u64 queue = userfault_on_stack(task, stack_chunks_of(thread));
    /* waken is set ahead of the wake-up: then the note is of this very wait, or will be. */
    if (!queue || read_u8(queue + OFF_userfaultfd_wait_queue__waken))
        return;
    bool note = thread->awake_message & AWAKE_SEEN;
    thread->awake_message = 0;
    u64 page = message_page(queue);
    u64 vma = find_vma(FIELD64(task, task_struct__mm), page);
    if (!userfault_region(thread, vma))
        return;
    userfault_begin(thread, page, message_reason(message_flags(queue)), thread->backing);
    thread->userfault_asleep = 1;
    if (!note)
        return;
    if (thread->awake_page == thread->userfault_page) { /* an earlier wait of this userfault */
        slot_count(SLOT_USERFAULT_WAIT_BEGUN + userfault_slot(thread), 1);
        slot_time(SLOT_USERFAULT_WAIT + userfault_slot(thread), 0, 0);
    } else { /* of a fault that a signal ended */
        missed(MISSED_RETURN_LOST);
    }
}
#else
#define AWAKE_SEEN 0
INLINE void userfault_never_slept(struct thread *thread, u64 vma)
{
}
#endif

#if WAY_IS(userfault, kprobe) || WAY_IS(userfault, tracepoint)
/* sched_switch(preempt, prev, next…). A state other than TASK_RUNNING (0) means that prev is about to sleep,
 * or was preempted on its way there. next has been woken only if its state is TASK_RUNNING: one that was
 * preempted on the way goes on to sleep.
 */
int raw_sched_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u64 task = ctx->args[1];
    struct thread *thread = thread_current();
    if (thread && thread->begin && FIELD32(task, task_struct__state)) {
#if WAY_IS(userfault, tracepoint)
        if (!thread->userfault_enter)
            userfault_asleep(thread, task);
#else
        if (thread->userfault_enter)
            thread->userfault_asleep = 1;
#endif
    }
    u32 next = FIELD32(ctx->args[2], task_struct__pid);
    thread = threads.lookup(&next);
    if (thread && thread->userfault_asleep && !FIELD32(ctx->args[2], task_struct__state))
        userfault_wait_ended(thread);
    return 0;
}
#endif

/* The fault that the userfault belongs to has completed. */
INLINE void userfault_completed(struct thread *thread)
{
    if (thread->userfault_enter) /* by kprobe: it entered, found the page filled, and did not sleep */
        userfault_wait_ended(thread);
    if (!thread->userfault_open)
        return;
    if ((thread->facts & FACT_USERFAULT) || (thread->address & PAGE_MASK) == thread->userfault_page)
        userfault_finish(thread, RESULT_RESOLVED);
}

