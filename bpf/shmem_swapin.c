/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that bring back a swapped-out page of shared memory.
 *
 * Its swap entry is not in the pte but in the page cache, so do_swap_page() never sees it: shmem_swapin_folio()
 * does (mm/shmem.c). One unit is one fault, over all its calls; those outside of a fault (read(2), swapoff) do not
 * count. major: the page was read from the device, minor: it was in the swap cache.
 */
INLINE void shmem_swapin_finish(struct thread *thread)
{
#if !WAY_IS(shmem_swapin, none)
    if (!(thread->facts & FACT_SHMEM_SWAPIN))
        return;
    thread->facts &= ~FACT_SHMEM_SWAPIN;
    if (thread->shmem_enter || thread->shmem_lost) {
        missed(MISSED_SWAP_RETURN_LOST);
        thread->shmem_enter = 0;
    } else {
        u32 result = thread->shmem_failed ? SHMEM_SWAPIN_ERROR : thread->shmem_pages ? SHMEM_SWAPIN_MAJOR : SHMEM_SWAPIN_MINOR;
        slot_time(SLOT_SHMEM_SWAPIN + result, thread->shmem_ns, 0);
    }
    if (thread->shmem_pages)
        slot_pages(SLOT_SWAP_READ + SWAP_READ_BY_SHMEM, thread->shmem_pages);
#endif
}

INLINE void shmem_swapin_entered(u64 inode)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin || (thread->facts & FACT_AGAIN))
        return;
    if (!(thread->facts & FACT_SHMEM_SWAPIN)) {
        thread->facts |= FACT_SHMEM_SWAPIN;
        thread->shmem_ns = 0;
        thread->shmem_pages = 0;
        thread->shmem_failed = 0;
        thread->shmem_lost = 0;
    }
    if (thread->shmem_enter)
        thread->shmem_lost = 1;
    thread->shmem_enter = bpf_ktime_get_ns();
}

/* -EEXIST: somebody else brought it back meanwhile, and the caller looks again. */
INLINE void shmem_swapin_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->shmem_enter)
        return;
    thread->shmem_ns += bpf_ktime_get_ns() - thread->shmem_enter;
    thread->shmem_enter = 0;
    thread->shmem_failed = (s32)result < 0 && (s32)result != -EEXIST;
}
#ifdef SYMBOL_shmem_swapin_page
PROBE1(shmem_swapin, shmem_swapin_page, shmem_swapin_entered)
RETURN(shmem_swapin, shmem_swapin_page, shmem_swapin_returned)
#else
PROBE1(shmem_swapin, shmem_swapin_folio, shmem_swapin_entered)
RETURN(shmem_swapin, shmem_swapin_folio, shmem_swapin_returned)
#endif
