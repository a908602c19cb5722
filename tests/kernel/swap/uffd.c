// SPDX-License-Identifier: GPL-2.0-only
/* The userfaultfd of the region: write-protection, and a thread that lifts it page by page. */
#define _GNU_SOURCE
#include "producer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/userfaultfd.h, for older headers */
#define FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
struct poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define POISON _IOWR(UFFDIO, 0x08, struct poison)

uint64_t wp_messages;
static int uffd = -1, stop_fd;
static pthread_t handler;

static int opened(uint64_t wanted, uint64_t *offered)
{
	struct uffdio_api api = {.api = UFFD_API, .features = wanted};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		die("userfaultfd");
	*offered = api.features;
	return fd;
}

/* 0 or the errno. */
int uffd_register(void)
{
	struct uffdio_register arguments = {
		.range = {(uintptr_t)region.base, region.pages * PAGE},
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	uint64_t offered;
	int probe = opened(0, &offered);

	close(probe);
	uffd = opened(offered & FEATURE_WP_HUGETLBFS_SHMEM, &offered);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	return ioctl(uffd, UFFDIO_REGISTER, &arguments) ? errno : 0;
}

int uffd_protect(size_t first, size_t count, bool on)
{
	struct uffdio_writeprotect arguments = {
		.range = {(uintptr_t)region.base + first * PAGE, count * PAGE},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	while (ioctl(uffd, UFFDIO_WRITEPROTECT, &arguments))
		if (errno != EAGAIN)
			return errno;
	return 0;
}

int uffd_poison(size_t first, size_t count)
{
	struct poison arguments = {.range = {(uintptr_t)region.base + first * PAGE, count * PAGE}};

	return ioctl(uffd, POISON, &arguments) ? errno : 0;
}

static void answer(void)
{
	struct uffd_msg message;

	while (read(uffd, &message, sizeof(message)) == sizeof(message)) {
		uint64_t flags = message.arg.pagefault.flags;

		if (message.event != UFFD_EVENT_PAGEFAULT || !(flags & UFFD_PAGEFAULT_FLAG_WP))
			die("a message that is of no write-protection");
		wp_messages++;
		if (uffd_protect((message.arg.pagefault.address - (uintptr_t)region.base) / PAGE, 1, false))
			die("UFFDIO_WRITEPROTECT");
	}
}

static void *handle(void *unused)
{
	struct pollfd polled[] = {{.fd = uffd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

	while (poll(polled, 2, -1) > 0 && !polled[1].revents)
		answer();
	return unused;
}

/* Start it, or end it once everything is answered. */
void uffd_handle(bool on)
{
	uint64_t one = 1;

	if (uffd < 0)
		return;
	if (on) {
		wp_messages = 0;
		if (pthread_create(&handler, NULL, handle, NULL))
			die("pthread_create");
		return;
	}
	if (write(stop_fd, &one, sizeof(one)) != sizeof(one) || pthread_join(handler, NULL))
		die("the handler");
	if (read(stop_fd, &one, sizeof(one)) != sizeof(one))
		die("the handler");
}
