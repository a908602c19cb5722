/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that a fault reads from a swap device: the one it needs, and those read ahead.
 *
 * One unit is one fault that read any; its size is the number of pages. Every read passes here, also of compressed
 * memory (mm/page_io.c).
 */
INLINE u32 folio_pages(u64 folio)
{
#ifdef OFF_folio___flags_1 /* the order, in the low byte: include/linux/mm.h, folio_order() */
    if (FIELD64(folio, folio__flags) >> PG_HEAD & 1)
        return 1 << (read_u8(folio + OFF_folio___flags_1) & 31);
#endif
    return 1;
}

INLINE void swap_read_entered(u64 folio)
{
    struct thread *thread = thread_current();
    if (!thread || !thread->begin)
        return;
    if (thread->shmem_enter)
        thread->shmem_pages += folio_pages(folio);
    else if (thread->swap_enter)
        thread->swap_pages += folio_pages(folio);
}
#ifdef SYMBOL_swap_readpage
PROBE1(swap_read, swap_readpage, swap_read_entered)
#else
PROBE1(swap_read, swap_read_folio, swap_read_entered)
#endif
