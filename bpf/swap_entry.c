/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that reach do_swap_page().
 *
 * One unit is one fault, over all its passes; time spent in handle_userfault() (a pte marker leads there)
 * is not in it. khugepaged calls do_swap_page() outside of any fault: not counted.
 */
INLINE void swap_finish(struct thread *thread)
{
#if !WAY_IS(swap_entry, none)
    if (!(thread->facts & FACT_SWAP))
        return;
    thread->facts &= ~FACT_SWAP;
    if (thread->swap_enter) {
        missed(MISSED_RETURN_LOST);
        thread->swap_enter = 0;
    }
    u32 entry = thread->swap_kind * UFFD_WP_STATES + thread->swap_uffd_wp;
    slot_time(SLOT_SWAP_FAULT + entry, thread->swap_ns, 0);
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
        u64 pte = FIELD64(vmf, vm_fault__orig_pte);
        thread->swap_kind = swap_kind(pte);
        thread->swap_uffd_wp = swap_uffd_wp(pte);
    }
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
}
RETURN(swap_entry, do_swap_page, do_swap_page_returned)
