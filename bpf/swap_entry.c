/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that reach do_swap_page().
 *
 * One unit is one fault, over all its passes; time spent in handle_userfault() (a pte marker leads there)
 * is not in it. khugepaged calls do_swap_page() outside of any fault: not counted.
 *
 * poisoned: the page's memory is broken, or marked so. error: the fault failed otherwise (SIGBUS, SIGSEGV).
 * major: VM_FAULT_MAJOR, the page was read from the device. retried: the last pass gave up its locks
 * (VM_FAULT_RETRY), or waited for a page under migration; the touch faults again. minor: all others, as by
 * the swap cache. How a pass ended whose return was lost is not known: the fault is missed, not counted. A return
 * probe has as few instances as there are CPUs on older kernels, and a thread that sleeps for the device keeps one.
 */
#define SWAP_PASS_LOST (1U << 31) /* beside the results of passes, vm_fault_reason */

INLINE u32 swap_result(u32 kind, u32 seen, u32 last)
{
    if (seen & VM_FAULT_POISON)
        return SWAP_POISONED;
    if (seen & VM_FAULT_ERROR)
        return SWAP_ERROR;
    if (seen & VM_FAULT_MAJOR)
        return SWAP_MAJOR;
    return (last & VM_FAULT_RETRY) || kind == SWAP_KIND_MIGRATION ? SWAP_RETRIED : SWAP_MINOR;
}

INLINE void swap_finish(struct thread *thread)
{
#if !WAY_IS(swap_entry, none)
    if (!(thread->facts & FACT_SWAP))
        return;
    thread->facts &= ~FACT_SWAP;
    if (thread->swap_enter || (thread->swap_seen & SWAP_PASS_LOST)) {
        missed(MISSED_SWAP_RETURN_LOST);
        thread->swap_enter = 0;
    } else {
        u32 result = swap_result(thread->swap_kind, thread->swap_seen, thread->swap_last);
        u32 entry = (thread->swap_kind * UFFD_WP_STATES + thread->swap_uffd_wp) * SWAP_RESULTS + result;
        slot_time(SLOT_SWAP_FAULT + entry, thread->swap_ns, 0);
    }
    if (thread->swap_pages)
        slot_pages(SLOT_SWAP_READ + SWAP_READ_BY_SWAP_ENTRY, thread->swap_pages);
#endif
}

INLINE void do_swap_page_entered(u64 vmf)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin || (thread->facts & FACT_AGAIN))
        return;
    if (!(thread->facts & FACT_SWAP)) {
        thread->facts |= FACT_SWAP;
        thread->swap_ns = 0;
        thread->swap_seen = 0;
        thread->swap_pages = 0;
        u64 pte = FIELD64(vmf, vm_fault__orig_pte);
        bool anonymous = !FIELD64(FIELD64(vmf, vm_fault__vma), vm_area_struct__vm_ops);
        thread->swap_kind = swap_kind(pte, anonymous);
        thread->swap_uffd_wp = swap_uffd_wp(pte, thread->swap_kind);
    }
    if (thread->swap_enter)
        thread->swap_seen |= SWAP_PASS_LOST;
    thread->swap_waited = thread->waited;
    thread->swap_enter = bpf_ktime_get_ns();
}
PROBE1(swap_entry, do_swap_page, do_swap_page_entered)

INLINE void do_swap_page_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->swap_enter)
        return;
    u64 waited = thread->waited - thread->swap_waited;
    thread->swap_ns += bpf_ktime_get_ns() - thread->swap_enter - waited;
    thread->swap_enter = 0;
    if (waited || thread->userfault_enter) /* its locks were given up for user space, once the page was there */
        result &= ~(u64)VM_FAULT_RETRY;
    thread->swap_last = result;
    thread->swap_seen |= (u32)result;
}
RETURN(swap_entry, do_swap_page, do_swap_page_returned)
