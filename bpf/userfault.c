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
    u64 now = bpf_ktime_get_ns(); /* ahead of the count: who looks at the clock after it finds it counted */
    thread->userfault_open = 0;
    slot_time(SLOT_USERFAULT + userfault_slot(thread) * RESULTS + result, thread->userfault_wait, 0);
    recent_note(userfault_slot(thread), thread->userfault_wait, now);
}

INLINE void userfault_wait_ended(struct thread *thread)
{
    u64 ns = bpf_ktime_get_ns() - thread->userfault_enter;
    thread->userfault_enter = 0;
    thread->userfault_asleep = 0;
    thread->awake_waits = 0;
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
        slot_instant(index, 1);
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

