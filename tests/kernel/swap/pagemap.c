// SPDX-License-Identifier: GPL-2.0-only
/* Where a page is, without touching it: /proc/self/pagemap and mincore(2), which looks into the swap cache. */
#define _GNU_SOURCE
#include "producer.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int pagemap_fd, vmstat_fd, inflight_fd = -1;

uint64_t pagemap_entry(size_t page)
{
	uint64_t entry;
	off_t at = (off_t)(((uintptr_t)region.base / PAGE + page) * sizeof(entry));

	if (pread(pagemap_fd, &entry, sizeof(entry), at) != sizeof(entry))
		die("pagemap");
	return entry;
}

bool in_core(size_t page)
{
	unsigned char seen;

	if (mincore(region.base + page * PAGE, PAGE, &seen))
		die("mincore");
	return seen & 1;
}

/* Of shared memory the entry is not in the page table, so "none" says nothing of it there. */
enum place place_of(size_t page)
{
	uint64_t entry = pagemap_entry(page);

	if (entry >> 63)
		return PLACE_PRESENT;
	if (!(entry >> 62 & 1))
		return PLACE_NONE;
	return in_core(page) ? PLACE_CACHED : PLACE_AWAY;
}

/* After madvise(): until the device has written everything, as far as it tells. */
void settle_writes(void)
{
	char text[64];
	unsigned reads, writes;
	ssize_t length;

	if (inflight_fd < 0)
		return;
	do {
		length = pread(inflight_fd, text, sizeof(text) - 1, 0);
		if (length <= 0)
			die("inflight");
		text[length] = 0;
		if (sscanf(text, "%u %u", &reads, &writes) != 2)
			die("inflight");
	} while ((reads || writes) && !usleep(200));
}

static char vmstat[16384];

static uint64_t pages_read(void)
{
	uint64_t pages;
	ssize_t length = pread(vmstat_fd, vmstat, sizeof(vmstat) - 1, 0);

	if (length <= 0)
		die("vmstat");
	vmstat[length] = 0;
	if (sscanf(strstr(vmstat, "\npswpin ") ?: "", " pswpin %lu", &pages) != 1)
		die("no pswpin in vmstat");
	return pages;
}

static uint64_t all_in_core(void)
{
	static unsigned char seen[MOST_PAGES];
	uint64_t pages = 0;

	if (mincore(region.base, region.pages * PAGE, seen))
		die("mincore");
	for (size_t page = 0; page < region.pages; page++)
		pages += seen[page] & 1;
	return pages;
}

static uint64_t missing;

/* Every page of the text is written first: it grows with its numbers, and one page more would be one fault more. */
void reads_begin(void)
{
	memset(vmstat, 1, sizeof(vmstat));
	missing = pages_read() - all_in_core();
}

/* Until every page that the machine has asked a device for is here: mincore() shows none that is still being read,
 * but a fault finds it in the swap cache. For one thread, and nobody else may swap.
 */
void settle_reads(void)
{
	for (unsigned tries = 0; pages_read() - all_in_core() != missing; tries++)
		if (tries > 100000 || usleep(100))
			die("what was read never came");
}
