/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of fault-around.
 *
 * One unit is one call of ->map_pages by do_fault_around(). All file systems end in filemap_map_pages(),
 * so one probe covers them. A cold page cache gives two calls for one fault.
 */
INLINE void map_pages_entered(u64 vmf)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin)
        return;
    u64 vma = FIELD64(vmf, vm_fault__vma);
    bool same = region_note(thread, vma);
    thread->facts |= FACT_READ | FACT_IN_RUN | (same ? FACT_RAN : 0);
    thread->run_mode = same ? thread->mode : region_mode(region_flags(vma));
    thread->run_pages = 0;
}
PROBE1(map_pages, filemap_map_pages, map_pages_entered)

INLINE void map_pages_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (!thread || !(thread->facts & FACT_IN_RUN))
        return;
    thread->facts &= ~FACT_IN_RUN;
    if (thread->backing < READ_BACKINGS)
        slot_pages(SLOT_FAULT_AROUND_RUN + thread->run_mode * READ_BACKINGS + thread->backing, thread->run_pages);
}
RETURN(map_pages, filemap_map_pages, map_pages_returned)

INLINE void pages_set(u32 pages)
{
    struct thread *thread = thread_current();
    if (thread && (thread->facts & FACT_IN_RUN))
        thread->run_pages += pages;
}

/* finish_fault() calls the same setters for the one page of a plain fault: FACT_IN_RUN tells them apart. */
#ifdef SYMBOL_set_pte_range /* (vmf, folio, page, nr, addr) */
INLINE void set_pte_range_entered(u64 vmf, u64 folio, u64 page, u64 nr)
{
    pages_set(nr);
}
PROBE4(pages_mapped, set_pte_range, set_pte_range_entered)
#elif defined(SYMBOL_do_set_pte) /* (vmf, page, addr): one page a call */
INLINE void do_set_pte_entered(u64 vmf)
{
    pages_set(1);
}
PROBE1(pages_mapped, do_set_pte, do_set_pte_entered)
#elif defined(SYMBOL_alloc_set_pte) /* returns VM_FAULT_NOPAGE for a pte that is populated already */
INLINE void alloc_set_pte_returned(u64 result)
{
    if ((u32)result == 0)
        pages_set(1);
}
RETURN(pages_mapped, alloc_set_pte, alloc_set_pte_returned)
#endif

#ifdef SYMBOL_do_set_pmd /* maps 2 MiB at once, without a pte being set */
INLINE void do_set_pmd_returned(u64 result)
{
    if ((u32)result == 0)
        pages_set(512);
}
RETURN(huge_page_mapped, do_set_pmd, do_set_pmd_returned)
#endif

INLINE void do_fault_around_entered(u64 vmf)
{
    struct thread *thread = thread_current();
    if (thread && thread->begin && region_note(thread, FIELD64(vmf, vm_fault__vma)))
        thread->facts |= FACT_ENTERED;
}
PROBE1(fault_around_entered, do_fault_around, do_fault_around_entered)

#if WAY_IS(map_pages, tracepoint)
/* Fires only when the window held at least one uptodate folio (mm/filemap.c: filemap_map_pages). The
 * region is not known yet: page_fault.c counts the runs when the fault completes.
 */
int raw_mm_filemap_map_pages(struct bpf_raw_tracepoint_args *ctx)
{
    struct thread *thread = thread_current();
    if (thread && thread->begin) {
        thread->facts |= FACT_READ | FACT_RAN;
        thread->runs++;
    }
    return 0;
}

/* rss_stat(mm, member): that this thread changed the file or shmem rss proves that it mapped a page of
 * the page cache. By how much cannot be said: the counter is shared by the threads of the process.
 */
int raw_rss_stat(struct bpf_raw_tracepoint_args *ctx)
{
    u32 member = ctx->args[1];
    if (member != MM_FILEPAGES && member != MM_SHMEMPAGES)
        return 0;
    struct thread *thread = thread_current();
    if (thread && thread->begin)
        thread->facts |= FACT_RSS;
    return 0;
}
#endif
