// SPDX-License-Identifier: GPL-2.0-only
/* Touching every page once, and what each touch must be, known beforehand; touching while pages are moved. */
#define _GNU_SOURCE
#include "producer.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MPOL_MF_MOVE 2 /* include/uapi/linux/mempolicy.h */
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

struct toucher {
	pthread_t id;
	unsigned index;
	uint64_t places[4], sigbus, sigsegv, wrong, major, minor, touches;
};

static unsigned thread_count;
static bool writes;
static atomic_bool moving;
static pthread_barrier_t ready;
static __thread sigjmp_buf landing;
static __thread volatile sig_atomic_t hit, may_land;

static void on_signal(int number)
{
	hit = number;
	if (may_land)
		siglongjmp(landing, 1);
}

/* Whoever declares memory broken gets a SIGBUS for it at once on newer kernels, though it touched nothing:
 * madvise_inject_error(), mm/madvise.c.
 */
void survive_sigbus(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGBUS, &action, NULL);
}

/* First word of page n is n + 1: what was swapped out must come back. */
static void touch(struct toucher *self, size_t page)
{
	volatile uint64_t *word = (uint64_t *)(region.base + page * PAGE);

	hit = 0;
	if (!sigsetjmp(landing, 1)) {
		may_land = 1;
		if (writes)
			word[1] = self->index;
		else
			self->wrong += word[0] != page + 1;
	}
	may_land = 0;
	self->sigbus += hit == SIGBUS;
	self->sigsegv += hit == SIGSEGV;
	self->touches++;
}

/* Everything the loop uses, once, so that nothing but the region is left to fault. */
static void warm_up(struct toucher *self, struct rusage *usage)
{
	volatile char stack[64 << 10];
	struct toucher before = *self;

	for (size_t i = 0; i < sizeof(stack); i += 512)
		stack[i] = 1;
	raise(SIGBUS);
	place_of(0);
	if (thread_count == 1) {
		reads_begin();
		settle_reads();
	}
	getrusage(RUSAGE_THREAD, usage);
	*self = before;
}

static void *touch_once(void *argument)
{
	struct toucher *self = argument;
	struct rusage before, after;

	warm_up(self, &before);
	pthread_barrier_wait(&ready);
	getrusage(RUSAGE_THREAD, &before);
	for (size_t page = self->index; page < region.pages; page += thread_count) {
		self->places[place_of(page)]++;
		touch(self, page);
		if (thread_count == 1)
			settle_reads();
	}
	getrusage(RUSAGE_THREAD, &after);
	self->major = (uint64_t)(after.ru_majflt - before.ru_majflt);
	self->minor = (uint64_t)(after.ru_minflt - before.ru_minflt);
	return NULL;
}

static void *touch_on(void *argument)
{
	struct toucher *self = argument;
	struct rusage usage;

	warm_up(self, &usage);
	pthread_barrier_wait(&ready);
	while (moving)
		for (size_t page = 0; page < region.pages; page++)
			touch(self, page);
	return NULL;
}

static void start(struct toucher *touchers, void *(*body)(void *))
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGSEGV, &action, NULL);
	pthread_barrier_init(&ready, NULL, thread_count + 1);
	for (unsigned i = 0; i < thread_count; i++) {
		touchers[i] = (struct toucher){.index = i};
		if (pthread_create(&touchers[i].id, NULL, body, &touchers[i]))
			die("pthread_create");
	}
	pthread_barrier_wait(&ready);
}

static struct toucher ended(const struct toucher *touchers)
{
	struct toucher all = {0};

	for (unsigned i = 0; i < thread_count; i++) {
		const struct toucher *one = &touchers[i];

		pthread_join(one->id, NULL);
		for (unsigned place = 0; place < 4; place++)
			all.places[place] += one->places[place];
		all.sigbus += one->sigbus;
		all.sigsegv += one->sigsegv;
		all.wrong += one->wrong;
		all.major += one->major;
		all.minor += one->minor;
		all.touches += one->touches;
	}
	pthread_barrier_destroy(&ready);
	return all;
}

void touch_command(bool write, unsigned threads)
{
	struct toucher touchers[MOST_THREADS], all;

	thread_count = threads;
	writes = write;
	uffd_handle(true);
	start(touchers, touch_once);
	all = ended(touchers);
	uffd_handle(false);
	printf("none=%lu present=%lu cached=%lu away=%lu major=%lu minor=%lu sigbus=%lu sigsegv=%lu wrong=%lu wp=%lu\n",
	       all.places[PLACE_NONE], all.places[PLACE_PRESENT], all.places[PLACE_CACHED], all.places[PLACE_AWAY],
	       all.major, all.minor, all.sigbus, all.sigsegv, all.wrong, wp_messages);
}

/* How many pages really moved. */
static size_t moved_to(int node)
{
	size_t moved = 0;

	for (size_t page = 0; page < region.pages; page++) {
		void *address = region.base + page * PAGE;
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1UL, &address, &node, &status, MPOL_MF_MOVE))
			die("move_pages");
		moved += status == node;
	}
	return moved;
}

static size_t offlined(void)
{
	size_t moved = 0;

	for (size_t page = 0; page < region.pages; page++)
		moved += !madvise(region.base + page * PAGE, PAGE, MADV_SOFT_OFFLINE);
	return moved;
}

void migrate_command(const char *how, unsigned threads, unsigned rounds)
{
	struct toucher touchers[MOST_THREADS], all;
	size_t moved = 0;

	thread_count = threads;
	writes = false;
	moving = true;
	start(touchers, touch_on);
	for (unsigned round = 0; round < rounds; round++)
		moved += strcmp(how, "move_pages") ? offlined() : moved_to(!(round & 1));
	moving = false;
	all = ended(touchers);
	printf("moved=%zu touches=%lu sigbus=%lu sigsegv=%lu wrong=%lu\n", moved, all.touches, all.sigbus, all.sigsegv,
	       all.wrong);
}
