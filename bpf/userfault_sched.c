/* SPDX-License-Identifier: GPL-2.0-only */
/* Waits for userspace, seen from the scheduler: all there is by tracepoint, and their end by kprobe. */
#if WAY_IS(userfault, tracepoint)
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
    thread->awake_flags = message_flags(queue);
    /* A monitor's wake-up sets waken, a signal does not. */
    bool by_signal = !read_u8(queue + OFF_userfaultfd_wait_queue__waken);
    __sync_fetch_and_add(&thread->awake_waits, by_signal ? AWAKE_SIGNAL : 1);
    return 0;
}

INLINE u32 userfault_notes(u32 awake_waits)
{
    return awake_waits % AWAKE_SIGNAL + awake_waits / AWAKE_SIGNAL;
}

/* The fault that a signal ended is over. No waker is at work: the thread has taken the signal, and for that
 * it had to wait for whoever sent it (sighand->siglock).
 */
INLINE void userfault_next_fault(struct thread *thread)
{
    if (thread->awake_waits)
        thread->awake_waits = userfault_notes(thread->awake_waits);
}

/* Waits of the open userfault that took no time; the first is counted where the userfault begins. */
INLINE void userfault_instant_waits(struct thread *thread, u32 begun, u32 ended)
{
    slot_count(SLOT_USERFAULT_WAIT_BEGUN + userfault_slot(thread), begun);
    slot_instant(SLOT_USERFAULT_WAIT + userfault_slot(thread), ended);
}

INLINE void userfault_never_slept(struct thread *thread, u64 vma)
{
    u32 waits = userfault_notes(thread->awake_waits);
    if (!waits)
        return;
    thread->awake_waits = 0;
    if (!userfault_region(thread, vma))
        return;
    userfault_wait_begins(thread, thread->awake_page, message_reason(thread->awake_flags), thread->backing);
    userfault_instant_waits(thread, waits - 1, waits);
}

INLINE void userfault_asleep(struct thread *thread, u64 task)
{
    u64 queue = userfault_on_stack(task, stack_chunks_of(thread));
    if (!queue)
        return;
    /* The notes first, then waken, which the waker sets ahead of its note: as long as it is not set, no note of
     * a monitor is of this very wait; once it is, the one of this wait is there, or will be. A signal's note
     * of this fault is of this wait, which goes on to sleep: after a signal a fault does not wait again.
     */
    u32 waits = thread->awake_waits % AWAKE_SIGNAL;
    if (read_u8(queue + OFF_userfaultfd_wait_queue__waken))
        return;
    thread->awake_waits = 0;
    u64 page = message_page(queue);
    u64 vma = find_vma(FIELD64(task, task_struct__mm), page);
    if (!userfault_region(thread, vma))
        return;
    userfault_begin(thread, page, message_reason(message_flags(queue)), thread->backing);
    thread->userfault_asleep = 1;
    if (!waits)
        return;
    if (thread->awake_page == thread->userfault_page) /* earlier waits of this userfault */
        userfault_instant_waits(thread, waits, waits);
    else /* of a fault that a signal ended */
        missed(MISSED_RETURN_LOST);
}
#else
INLINE void userfault_never_slept(struct thread *thread, u64 vma)
{
}

INLINE void userfault_next_fault(struct thread *thread)
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
