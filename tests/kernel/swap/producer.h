/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that makes page table entries on purpose, as it is told on its standard input, and counts for itself
 * what it did: see producer.py, which talks to it.
 */
#ifndef PRODUCER_H
#define PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096UL
#define MOST_THREADS 8
#define MOST_PAGES 4096UL
#define MOST_CHILDREN 256UL

extern struct region {
	char *base;
	size_t pages;
} region;

extern int pagemap_fd, vmstat_fd;
extern int inflight_fd; /* of the swap device's block layer; -1: it answers at once */

_Noreturn void die(const char *what);

/* pagemap.c: where a page is now, by what the kernel tells anybody */
enum place { PLACE_NONE, PLACE_PRESENT, PLACE_CACHED, PLACE_AWAY };
uint64_t pagemap_entry(size_t page);
bool in_core(size_t page);
enum place place_of(size_t page);
void settle_writes(void);
void reads_begin(void);
void settle_reads(void);

/* touch.c */
void survive_sigbus(void);
void touch_command(bool write, unsigned threads);
void migrate_command(const char *how, unsigned threads, unsigned rounds);

/* uffd.c */
extern uint64_t wp_messages;
int uffd_register(void);
int uffd_protect(size_t first, size_t count, bool on);
int uffd_poison(size_t first, size_t count);
void uffd_handle(bool on);

#endif
