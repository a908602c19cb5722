/* SPDX-License-Identifier: GPL-2.0-only */
/* The region whose faults are counted: its mapping, its page cache, and what pagemap says of it. */
#ifndef WORKLOAD_MEMORY_H
#define WORKLOAD_MEMORY_H

#include "options.h"

struct region {
    char *start;
    size_t page_size;  /* of one counted page: 4096, or the huge page */
    size_t base_size;  /* of one pagemap entry: 4096 */
    uint64_t pages;
    int fd;            /* -1: anonymous */
    bool private_map;  /* writes are copied */
    uint64_t block;    /* pages one thread touches in a row: at least one fault-around window */
    uint8_t *cached;   /* per page: is it in the page cache before the touches? */
    bool hides_wp;     /* write-protected, and pagemap of this kernel has no bit to say so */
};

/* Bits of a /proc/self/pagemap entry. */
#define PAGE_PRESENT (1ull << 63)
#define PAGE_SWAPPED (1ull << 62) /* a swap entry, and also a pte marker */
#define PAGE_UFFD_WP (1ull << 57)

/* Map the region and fill its page cache as the options say, without one touch of the mapping. */
struct region memory_map(const struct options *o);

/* Write one byte to every page. Returns the page faults this thread took for it. */
uint64_t memory_populate(struct region *region);

/* See whether pagemap shows that the region is write-protected; sets region->hides_wp. Until Linux 5.14 it did
 * not (fs/proc/task_mmu.c: PM_UFFD_WP); then each page may be touched only once, since nothing tells when it is
 * protected no more: stops with exit 3 if several threads are to touch it. */
void memory_look_for_protection(const struct options *o, struct region *region);

/* Write anonymous memory to swap; stops with exit 3 where that cannot be. Returns pages swapped. */
uint64_t memory_page_out(const struct region *region);

/* Drop a --cold-file from the page cache. */
void memory_drop_cache(const struct region *region, const char *path);

/* Pages of the region that are in the page cache now. */
uint64_t memory_cached(const struct region *region);

/* debugfs fault_around_bytes, or 0 where it cannot be read. */
uint64_t memory_fault_around_bytes(void);

static inline char *page_address(const struct region *region, uint64_t page)
{
    return region->start + page * region->page_size;
}

/* /proc/self/pagemap of the calling process; open again after fork. */
int pagemap_open(void);
uint64_t pagemap_entry(int pagemap, const struct region *region, uint64_t page);

/* Pages whose entry has any of `bits`. */
uint64_t pagemap_count(int pagemap, const struct region *region, uint64_t bits);

#endif
