// SPDX-License-Identifier: GPL-2.0-only
/* Reads commands, one a line, and answers each by one line of name=number. An errno is an answer as well. */
#define _GNU_SOURCE
#include "producer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct region region;

_Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void map(const char *kind, size_t pages)
{
	bool shared = !strcmp(kind, "shmem");
	int fd = shared ? memfd_create("producer", MFD_CLOEXEC) : -1;

	if (shared && ftruncate(fd, (off_t)(pages * PAGE)))
		die("memfd");
	if (!pages || pages > MOST_PAGES)
		die("too many pages");
	region.pages = pages;
	region.base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (region.base == MAP_FAILED)
		die("mmap");
	madvise(region.base, pages * PAGE, MADV_NOHUGEPAGE);
	printf("base=%lu\n", (uintptr_t)region.base);
}

static void fill(void)
{
	for (size_t page = 0; page < region.pages; page++)
		*(volatile uint64_t *)(region.base + page * PAGE) = page + 1;
	printf("errno=0\n");
}

/* Pages that still stand in a CPU's batch of the LRU lists cannot be taken off them: move_pages() empties the
 * batches of all CPUs first (mm/migrate.c), here to move nothing.
 */
static void drain(void)
{
	int node = 0, status;
	void *address = &status;

	syscall(SYS_move_pages, 0, 1UL, &address, &node, &status, 2);
}

static void advise(int advice, size_t first, size_t count)
{
	int refused = madvise(region.base + first * PAGE, count * PAGE, advice) ? errno : 0;

	settle_writes();
	printf("errno=%d\n", refused);
}

/* Children that have every page mapped as well: whatever is done to all page tables of a page takes longer. */
static void share(size_t children)
{
	for (size_t child = 0; child < children; child++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	printf("errno=0\n");
}

static void look(void)
{
	printf("core=");
	for (size_t page = 0; page < region.pages; page++)
		putchar('0' + in_core(page));
	printf("\n");
}

static void obey(const char *line)
{
	char word[32] = "", text[256] = "";
	size_t a = 0, b = 0, c = 0;

	if (sscanf(line, "map %31s %zu", word, &a) == 2)
		map(word, a);
	else if (!strncmp(line, "fill", 4))
		fill();
	else if (sscanf(line, "share %zu", &a) == 1 && a <= MOST_CHILDREN)
		share(a);
	else if (!strncmp(line, "look", 4))
		look();
	else if (!strncmp(line, "drain", 5))
		drain(), printf("errno=0\n");
	else if (!strncmp(line, "register", 8))
		printf("errno=%d\n", uffd_register());
	else if (sscanf(line, "protect %zu %zu %zu", &a, &b, &c) == 3)
		printf("errno=%d\n", uffd_protect(a, b, c));
	else if (sscanf(line, "poison %zu %zu", &a, &b) == 2)
		printf("errno=%d\n", uffd_poison(a, b));
	else if (sscanf(line, "advise %zu %zu %zu", &a, &b, &c) == 3)
		advise((int)a, b, c);
	else if (sscanf(line, "touch %31s %zu", word, &a) == 2 && a && a <= MOST_THREADS)
		touch_command(!strcmp(word, "write"), (unsigned)a);
	else if (sscanf(line, "migrate %31s %zu %zu", word, &a, &b) == 3 && a && a <= MOST_THREADS)
		migrate_command(word, (unsigned)a, (unsigned)b);
	else if (sscanf(line, "inflight %255s", text) == 1)
		printf("fd=%d\n", inflight_fd = open(text, O_RDONLY | O_CLOEXEC));
	else
		die("no such command");
	fflush(stdout);
}

int main(void)
{
	char line[320];

	pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	if (pagemap_fd < 0 || vmstat_fd < 0)
		die("/proc");
	survive_sigbus();
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return 0;
}
