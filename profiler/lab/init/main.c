/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process 1 of the VM: boots as far as the host's files are there, runs one command, ends the VM.
 *
 * Compiled with the files beside it into a static binary by initramfs.py, which also writes /job (see job_file() there).
 * What goes wrong here is one line on the console, after MARK: the host makes an error message from it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

#define MARK "uffd-profiler-vm: "

/* Ends the VM: QEMU runs with -no-reboot, so a reboot is its exit. */
static void __attribute__((noreturn)) power_off(void)
{
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf(MARK);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	power_off();
}

static void load_module(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		fail("cannot load the kernel module %s: %s", name, strerror(errno));
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Next string of the job; strings end with a zero byte. */
static char *next(char **job)
{
	char *word = *job;

	*job += strlen(word) + 1;
	return word;
}

/* `count` strings as a NULL-terminated array. */
static char **next_many(char **job, int count)
{
	char **words = calloc(count + 1, sizeof(*words));

	for (int i = 0; i < count; i++)
		words[i] = next(job);
	return words;
}

static char *read_job(void)
{
	struct stat file;
	int fd = open("/job", O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t n, done = 0;

	if (fd < 0 || fstat(fd, &file))
		fail("cannot read /job: %s", strerror(errno));
	text = calloc(file.st_size + 1, 1);
	while ((n = read(fd, text + done, file.st_size - done)) > 0)
		done += n;
	close(fd);
	return text;
}

int main(void)
{
	char *job, *directory, *modules, **argv, **env;
	int count, alive_seconds;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mount_early_file_systems();
	job = read_job();
	for (count = atoi(next(&job)); count > 0; count--)
		load_module(next(&job));
	modules = next(&job);
	directory = next(&job);
	alive_seconds = atoi(next(&job));
	count = atoi(next(&job));
	argv = next_many(&job, count);
	count = atoi(next(&job));
	env = next_many(&job, count);

	open_port();
	make_root_directory(modules, directory);
	loopback_up();
	sethostname("uffd-vm", strlen("uffd-vm"));
	run_command(directory, alive_seconds, argv, env);
	sleep(10); /* the host ends QEMU when it has read the frame; this is for when there is no host any more */
	power_off();
}
