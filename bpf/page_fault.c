/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a fault begins and ends.
 *
 * One unit is one fault, by exactly-once rules: a fault raised by the processor begins with its exception
 * (exceptions:page_fault_user and _kernel fire once, ahead of all passes) and completes with the pass of
 * handle_mm_fault() that does not return VM_FAULT_RETRY. A fault raised by the kernel itself
 * (get_user_pages, populate) has no exception and no regs; after RETRY the page may be there and no pass
 * follow, so it is counted at its first pass, and later passes for the page (TRIED) are not faults.
 */
INLINE void fault_forget(struct thread *thread)
{
    swap_finish(thread);
    shmem_swapin_finish(thread);
    if (thread->userfault_enter)
        userfault_wait_ended(thread);
    thread->begin = 0;
    thread->facts = 0;
}

INLINE void fault_begin(struct thread *thread, u64 address, u32 facts, u8 origin)
{
    if (thread->begin) { /* a signal ended the last one between two passes, or it failed */
        if (thread->origin == ORIGIN_GUP) /* those end with their pass: a return probe lost it */
            missed(MISSED_RETURN_LOST);
        fault_forget(thread);
    }
    userfault_next_fault(thread);
    thread->address = address;
    thread->waited = 0;
    thread->facts = facts;
    thread->runs = 0;
    thread->origin = origin;
    thread->begin = bpf_ktime_get_ns();
}

/* By tracepoint the VMA has to be searched for, once for all who ask. */
INLINE u64 fault_vma(struct thread *thread)
{
#if WAY_IS(map_pages, tracepoint) || WAY_IS(userfault, tracepoint)
    bool wanted = thread->awake_waits;
#if WAY_IS(map_pages, tracepoint)
    wanted |= read_fault_is_candidate(thread->facts);
#endif
    if (wanted)
        return find_vma(FIELD64(bpf_get_current_task(), task_struct__mm), thread->address);
#endif
    return 0;
}

/* settled: no further pass can follow. */
INLINE void fault_completed(struct thread *thread, bool succeeded, bool settled)
{
    u64 total = bpf_ktime_get_ns() - thread->begin;
    u64 vma = fault_vma(thread);
    userfault_never_slept(thread, vma);
    if (settled && (thread->userfault_enter || thread->userfault_open))
        userfault_completed(thread);
    u64 own = total > thread->waited ? total - thread->waited : 0;
    swap_finish(thread);
    shmem_swapin_finish(thread);
    if (succeeded && !(thread->facts & FACT_AGAIN)) {
        slot_time(SLOT_PAGE_FAULT + thread->origin, own, thread->waited);
        read_fault_completed(thread, own, vma);
    }
    thread->begin = 0;
    thread->facts = 0;
}

INLINE void exception(u64 address, u64 error, u8 origin)
{
    if ((s64)address < 0 || !counted())
        return;
    struct thread *thread = thread_open();
    if (!thread)
        return;
    u32 facts = (error & X86_PF_WRITE ? FACT_WRITE : 0) | (error & X86_PF_PROT ? FACT_PROT : 0);
    fault_begin(thread, address, facts, origin);
}

int raw_page_fault_user(struct bpf_raw_tracepoint_args *ctx)
{
    exception(ctx->args[0], ctx->args[2], ORIGIN_USER);
    return 0;
}

/* copy_from_user_nofault() and stack unwinders fault with pagefault_disabled set; such a fault never gets
 * to handle_mm_fault(), and it may come while another one of the thread is open. The read of the counter
 * raises it by one itself (mm/maccess.c: copy_from_kernel_nofault).
 */
int raw_page_fault_kernel(struct bpf_raw_tracepoint_args *ctx)
{
    if (FIELD32(bpf_get_current_task(), task_struct__pagefault_disabled) <= 1)
        exception(ctx->args[0], ctx->args[2], ORIGIN_KERNEL);
    return 0;
}

#if !WAY_IS(fault, fentry)
/* The software events PAGE_FAULTS_MIN and _MAJ fire once, when an exception's fault has completed
 * (mm/memory.c: mm_account_fault), not for RETRY, errors or GUP.
 */
BPF_PROG_ARRAY(completion, 1);

int event_minor(void *ctx)
{
    struct thread *thread = thread_current();
    if (thread && thread->begin && thread->origin != ORIGIN_GUP)
        fault_completed(thread, true, true);
    return 0;
}

/* The same with one fact more: a tail call, so that it is compiled and verified once. */
int event_major(void *ctx)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin)
        return 0;
    thread->facts |= FACT_MAJOR;
    completion.call(ctx, 0);
    missed(MISSED_RETURN_LOST);
    return 0;
}
#endif

INLINE void handle_mm_fault_entered(u64 vma, u64 address, u64 flags, u64 regs)
{
    if (regs || !counted())
        return;
    struct thread *thread = thread_open();
    if (!thread)
        return;
    u64 page = address & PAGE_MASK;
    bool again = ((u32)flags & FAULT_FLAG_TRIED) && thread->gup_page == page;
    if (thread->userfault_by_gup && thread->userfault_page != page)
        userfault_left(thread);
    fault_begin(thread, address, again ? FACT_AGAIN : 0, ORIGIN_GUP);
}
PROBE4(fault, handle_mm_fault, handle_mm_fault_entered)

INLINE void handle_mm_fault_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin)
        return;
    bool retry = (u32)result & VM_FAULT_RETRY;
    bool succeeded = !((u32)result & VM_FAULT_ERROR);
    if (thread->origin != ORIGIN_GUP) {
#if WAY_IS(fault, fentry)
        if (!retry)
            fault_completed(thread, succeeded, true);
#endif
        return;
    }
    thread->gup_page = retry ? thread->address & PAGE_MASK : 0;
    fault_completed(thread, succeeded, !retry);
}
RETURN(fault, handle_mm_fault, handle_mm_fault_returned)

int raw_sched_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tid = bpf_get_current_pid_tgid();
    struct thread *thread = threads.lookup(&tid);
    if (thread) {
        fault_forget(thread);
        userfault_left(thread);
        resolve_left(thread);
        threads.delete(&tid);
    }
    process_exited(ctx->args[0]);
    return 0;
}
