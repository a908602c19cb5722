/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs COMMAND and answers the host, through one virtio-serial port, with the frames that frames.py reads. One port
 * keeps stdout, stderr and the end in the order they happened, so when the host has the end, it has everything before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define PORT "/dev/vport0p1" /* the first port of the only virtio-serial device: see qemu.py */
#define PORT_WAIT_MS 5000
#define PAYLOAD_MAX 32000 /* with its header below the 32 KiB that virtio_console takes in one write */
#define HEADER 5

static int port = -1;
static time_t sent; /* when the last frame was */

static time_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* The device appears a moment after its driver is there. */
void open_port(void)
{
	for (int waited = 0; waited < PORT_WAIT_MS; waited++) {
		port = open(PORT, O_RDWR | O_CLOEXEC);
		if (port >= 0)
			return;
		usleep(1000);
	}
	fail("this kernel has no port to answer through (%s: %s); it needs CONFIG_VIRTIO_PCI and "
	     "CONFIG_VIRTIO_CONSOLE, built in or as modules beside the image", PORT, strerror(errno));
}

/* Sends one frame: type, length of the payload (little endian), payload. `frame` has room for the header. */
static void send_frame(char type, char *frame, uint32_t length)
{
	size_t done = 0, total = HEADER + length;

	frame[0] = type;
	memcpy(frame + 1, &length, sizeof(length));
	while (done < total) {
		ssize_t n = write(port, frame + done, total - done);

		if (n > 0)
			done += n;
		else if (errno != EINTR && errno != EAGAIN)
			fail("cannot write to the host: %s", strerror(errno));
	}
	sent = now_seconds();
}

/* Becomes COMMAND; 127 and 126 are what a shell returns for the same errors. */
static void __attribute__((noreturn)) run(const char *directory, char **argv, char **env, int out, int err)
{
	sigset_t none;
	int code, null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	close(null);
	if (chdir(directory)) {
		dprintf(2, "uffd-profiler vm: cannot enter %s: %s\n", directory, strerror(errno));
		_exit(126);
	}
	environ = env;
	execvp(argv[0], argv);
	code = errno == ENOENT ? 127 : 126;
	dprintf(2, "uffd-profiler vm: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(code);
}

/* Sends what the pipe holds now, at most one frame of it. Returns what read() returned. */
static ssize_t forward(char type, int pipe_end)
{
	static char frame[HEADER + PAYLOAD_MAX];
	ssize_t n = read(pipe_end, frame + HEADER, PAYLOAD_MAX);

	if (n > 0)
		send_frame(type, frame, n);
	return n;
}

/* Collects every process that ended (1 is the parent of orphans). Returns true when `command` was among them. */
static int reap(pid_t command, int *status)
{
	int ended = 0, one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
		if (pid == command) {
			*status = one;
			ended = 1;
		}
	return ended;
}

/* Forwards output until COMMAND ends; then what is still in the pipes, but no more than they can hold. */
static int forward_until_end(pid_t command, int alive_seconds, int out, int err)
{
	struct signalfd_siginfo ignored;
	struct pollfd ends[3] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN }, { .events = POLLIN } };
	char alive[HEADER];
	sigset_t child;
	int status = 0;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	ends[2].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		if (reap(command, &status))
			break;
		/* Any process that ends is a sign of life that the host does not see: count the time from what it sees. */
		if (alive_seconds && now_seconds() - sent >= alive_seconds)
			send_frame('A', alive, 0);
		poll(ends, 3, alive_seconds ? alive_seconds * 1000 : -1);
		for (int i = 0; i < 2; i++)
			if (ends[i].revents && forward("OE"[i], ends[i].fd) == 0)
				ends[i].fd = -1; /* closed by the command: poll() skips it */
		if (ends[2].revents)
			while (read(ends[2].fd, &ignored, sizeof(ignored)) > 0)
				;
	}
	for (int rounds = 0; rounds < 64; rounds++) {
		if (forward('O', out) <= 0 && forward('E', err) <= 0)
			break;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void run_command(const char *directory, int alive_seconds, char **argv, char **env)
{
	char frame[HEADER + 256];
	int out[2], err[2], code;
	struct utsname kernel;
	sigset_t child;
	pid_t command;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("cannot make a pipe: %s", strerror(errno));
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	uname(&kernel);
	send_frame('S', frame, snprintf(frame + HEADER, 256, "%s", kernel.release));
	command = fork();
	if (command < 0)
		fail("cannot fork: %s", strerror(errno));
	if (command == 0)
		run(directory, argv, env, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	code = forward_until_end(command, alive_seconds, out[0], err[0]);
	frame[HEADER] = code;
	send_frame('X', frame, 1);
}
