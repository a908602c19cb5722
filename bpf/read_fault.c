/* SPDX-License-Identifier: GPL-2.0-only */
/* Read faults on VMAs of the page cache.
 *
 * One unit is one fault, however many passes it took, that completed without an error after going through
 * do_read_fault(): it called ->map_pages, or __do_fault() without FAULT_FLAG_WRITE (mm/memory.c).
 */
INLINE void do_fault_entered(u64 vmf)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin || (FIELD32(vmf, vm_fault__flags) & FAULT_FLAG_WRITE))
        return;
    u64 vma = FIELD64(vmf, vm_fault__vma);
    region_note(thread, vma);
    thread->facts |= FACT_READ;
    if (!(thread->facts & (FACT_RAN | FACT_ENTERED)) && !region_can_fault_around(vma))
        thread->facts |= FACT_NO_METHOD;
}
PROBE1(read_fault, __do_fault, do_fault_entered)

/* ran; entered and returned before ->map_pages; never entered. Where do_fault_around is inlined the last
 * two look the same and are called skipped.
 */
INLINE u32 read_fault_outcome(u32 facts)
{
    if (facts & FACT_RAN)
        return OUTCOME_RAN;
    if (facts & FACT_NO_METHOD)
        return OUTCOME_NOT_APPLICABLE;
#if WAY_IS(fault_around_entered, none)
    return OUTCOME_SKIPPED;
#else
    return facts & FACT_ENTERED ? OUTCOME_RETURNED_EARLY : OUTCOME_NOT_ENTERED;
#endif
}

#if WAY_IS(map_pages, tracepoint)
/* Without a probe on the fault path: what the tracepoints prove. The tracepoint of ->map_pages is silent
 * when the window held nothing, so "skipped" needs proof that the page was in the page cache: a MINOR
 * userfault, or a page mapped by this thread without waiting for the disk.
 */
INLINE bool read_fault_is_candidate(u32 facts)
{
    return !(facts & (FACT_WRITE | FACT_PROT)) && (facts & (FACT_RAN | FACT_RSS | FACT_USERFAULT));
}

INLINE void read_fault_classify(struct thread *thread, u64 vma)
{
    u32 facts = thread->facts;
    if (!read_fault_is_candidate(facts))
        return;
    if (!vma) {
        missed(MISSED_VMA_UNKNOWN);
        thread->facts &= ~FACT_READ;
        return;
    }
    u8 mode = region_mode(region_flags(vma));
    if (!region_note(thread, vma) && !(facts & FACT_RAN_FIRST)) /* it ran after the region had changed */
        thread->facts &= ~FACT_RAN;
    if (thread->backing >= READ_BACKINGS) {
        thread->facts &= ~FACT_READ;
        return;
    }
    thread->facts |= FACT_READ;
    if (!(facts & FACT_RAN) && !region_can_fault_around(vma))
        thread->facts |= FACT_NO_METHOD;
    if (thread->runs)
        slot_count(SLOT_FAULT_AROUND_RUN + mode * READ_BACKINGS + thread->backing, thread->runs);
}

INLINE u32 read_fault_outcome_by_tracepoint(struct thread *thread)
{
    u32 facts = thread->facts;
    if (facts & FACT_RAN)
        return OUTCOME_RAN;
    if (facts & FACT_NO_METHOD)
        return OUTCOME_NOT_APPLICABLE;
    if ((facts & FACT_USERFAULT) && thread->reason == REASON_MINOR)
        return OUTCOME_SKIPPED;
    if ((facts & FACT_RSS) && ((facts & FACT_USERFAULT) || !(facts & FACT_MAJOR)))
        return OUTCOME_SKIPPED;
    return OUTCOME_UNDETERMINED;
}
#endif

INLINE void read_fault_completed(struct thread *thread, u64 own, u64 vma)
{
    u32 outcome;
#if WAY_IS(map_pages, tracepoint)
    read_fault_classify(thread, vma);
    outcome = read_fault_outcome_by_tracepoint(thread);
#else
    outcome = read_fault_outcome(thread->facts);
#endif
    if (!(thread->facts & FACT_READ) || thread->backing >= READ_BACKINGS)
        return;
    u32 region = (thread->origin * MODES + thread->mode) * READ_BACKINGS + thread->backing;
    slot_time(SLOT_READ_FAULT + region * OUTCOMES + outcome, own, thread->waited);
}
