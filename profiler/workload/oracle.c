// SPDX-License-Identifier: GPL-2.0-only
#include "oracle.h"

/*
 * present                  read: no fault. write: none, but
 *   + uffd-wp, WP mode       write: one fault, which raises WP
 *   + private, after fork    write: one fault, which copies
 * absent                   one fault, which raises
 *   in the page cache        MINOR in MINOR mode; not if a read faults around there (a pte marker it leaves alone)
 *   not there (or anon)      MISSING in MISSING mode; not if the page is in swap
 *   nothing, and uffd-wp     write in WP mode: TWO faults. The first maps the page read-only and keeps
 *                            the bit (of a pte marker or swap entry); the write faults again: WP
 * UFFDIO_COPY and UFFDIO_CONTINUE here drop a marker, so MISSING or MINOR and WP never meet in one touch.
 * A wait does not count by itself: the fault returns RETRY, is tried again inside the same exception, and
 * completes once.
 */
struct prediction predict(const struct options *o, const struct region *region, uint64_t page, uint64_t entry,
                          unsigned mode, bool refuse, bool bypass)
{
    bool present = entry & PAGE_PRESENT, anon = region->fd < 0;
    bool protected = (entry & PAGE_UFFD_WP) && (mode & MODE_WP) && o->write;
    bool swapped = anon && (entry & PAGE_SWAPPED);
    struct prediction p = {.exact = true};
    unsigned userfaults;

    if (present) {
        p.wp = protected;
        p.faults = p.wp || (o->write && o->fork && region->private_map);
    } else {
        p.minor = !anon && region->cached[page] && (mode & MODE_MINOR)
            && !(bypass && !o->write && !(entry & PAGE_UFFD_WP));
        p.missing = !swapped && !region->cached[page] && (mode & MODE_MISSING);
        p.wp = protected && !p.minor && !p.missing;
        p.faults = 1 + p.wp;
    }
    userfaults = p.missing + p.wp + p.minor;
    p.faults_min = p.faults;
    /* Of threads that touch together, one maps the page; the others may come late, unless all must wait. */
    p.late_min = userfaults ? 1 : 0;
    if (refuse && userfaults) {
        p.faults = p.faults_min = p.faults - 1;
        p.late_min = 0;
        p.refused = 1;
        p.missing = p.wp = p.minor = 0;
        /* A refused copy may be tried byte by byte: more exceptions than one. */
        p.exact = !o->kernel_access;
    } else if (userfaults && o->gup != GUP_NO) {
        /* After the wait GUP looks at the page table, not at the fault: nothing completes. Unless the page is
         * not writable yet, which differs between kernels. */
        p.faults_min = p.faults - 1;
        p.late_min = 0;
        p.faults = o->write ? p.faults : p.faults_min;
        p.exact = !o->write;
    }
    /* Until Linux 6.5 GUP calls hugetlb_fault itself, which counts nothing. */
    if (o->gup != GUP_NO && o->backing == BACKING_HUGETLB && p.faults) {
        p.faults_min = 0;
        p.exact = false;
    }
    return p;
}
