/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process 1 of the VM: shows the host's files, runs one command, sends back what it wrote and how it ended.
 *
 * Compiled into a static binary by initramfs.py, which also writes /job, the command (see job_file() there).
 * The answer goes through one virtio-serial port, as the frames that frames.py reads. One port keeps stdout,
 * stderr and the end in the order they happened, so when the host has the end, it has everything before it.
 * What goes wrong here is one line on the console, after MARK: the host makes an error message from it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "uffd-profiler-vm: "
#define PORT "/dev/vport0p1" /* the first port of the only virtio-serial device: see qemu.py */
#define PORT_WAIT_MS 5000
#define PAYLOAD_MAX 32000 /* with its header below the 32 KiB that virtio_console takes in one write */
#define HEADER 5

static int port = -1;

/* Ends the VM: QEMU runs with -no-reboot, so a reboot is its exit. */
static void __attribute__((noreturn)) power_off(void)
{
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
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
}

/* mkdir -p */
static void make_path(const char *path)
{
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

/* What a kernel lacks here (tracefs, bpf, …) is for COMMAND to find out: not a reason to stop. */
static void try_mount(const char *type, const char *where, const char *options)
{
	make_path(where);
	mount(type, where, type, 0, options);
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

/* Mounts /host/NAME at /newroot/NAME so that it can be written to; what is written stays in the guest's memory. */
static int mount_writable(const char *name, mode_t mode)
{
	char upper[256], options[1024], where[256];

	snprintf(upper, sizeof(upper), "/written/%s/upper", name);
	make_path(upper);
	chmod(upper, mode); /* mkdir() was subject to the umask */
	snprintf(where, sizeof(where), "/written/%s/work", name);
	make_path(where);
	snprintf(where, sizeof(where), "/newroot/%s", name);
	unlink(where); /* /lib is a symbolic link on most hosts, and the overlay must not land on its target */
	make_path(where);
	snprintf(options, sizeof(options), "lowerdir=/host/%s,upperdir=/written/%s/upper,workdir=/written/%s/work",
		 name, name, name);
	return mount("overlay", where, "overlay", 0, options);
}

/* One entry of the host's root directory, read-only. */
static void show_entry(const char *name)
{
	char from[512], to[512], target[4096];
	struct stat entry;
	ssize_t length;

	snprintf(from, sizeof(from), "/host/%s", name);
	snprintf(to, sizeof(to), "/newroot/%s", name);
	if (lstat(from, &entry))
		return;
	if (S_ISLNK(entry.st_mode)) {
		length = readlink(from, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		if (symlink(target, to))
			fail("cannot make %s: %s", to, strerror(errno));
	} else if (S_ISDIR(entry.st_mode)) {
		mkdir(to, 0755);
		if (mount(from, to, NULL, MS_BIND, NULL))
			fail("cannot mount %s: %s", from, strerror(errno));
	}
}

/* Directories that the guest has for itself. */
static int is_guests_own(const char *name)
{
	static const char *const names[] = { ".", "..", "dev", "proc", "run", "sys", "tmp" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return 1;
	return 0;
}

/*
 * Makes /newroot from the host's files, which 9p shows read-only. /newroot itself is in memory and holds one
 * bind mount for each of the host's directories. An overlay over everything would be less to write and as fast (measured),
 * but a report that COMMAND writes to a file would be lost without a word: here it is told "Read-only file system".
 */
static void mount_host(void)
{
	static const char options[] = "trans=virtio,version=9p2000.L,access=any,msize=524288,cache=loose";
	struct dirent *entry;
	DIR *root;

	mkdir("/host", 0755);
	if (mount("host", "/host", "9p", MS_RDONLY, options))
		fail("this kernel cannot show the host's files (mount 9p: %s); it needs CONFIG_VIRTIO_PCI, "
		     "CONFIG_NET_9P_VIRTIO and CONFIG_9P_FS, built in or as modules beside the image", strerror(errno));
	try_mount("tmpfs", "/newroot", "mode=0755");
	try_mount("tmpfs", "/written", NULL);
	root = opendir("/host");
	while (root && (entry = readdir(root)))
		if (!is_guests_own(entry->d_name))
			show_entry(entry->d_name);
	if (mount_writable("tmp", 01777))
		try_mount("tmpfs", "/newroot/tmp", "mode=1777");
}

/* modprobe looks into /lib/modules/RELEASE, which no host directory need be there for: hence an overlay. */
static void show_modules(const char *host_directory)
{
	struct utsname kernel;
	char from[4096], to[4096];

	if (mount_writable("lib", 0755))
		show_entry("lib");
	uname(&kernel);
	snprintf(from, sizeof(from), "/host%s", host_directory);
	snprintf(to, sizeof(to), "/newroot/lib/modules/%s", kernel.release);
	make_path(to);
	mount(from, to, NULL, MS_BIND, NULL);
}

static void become_root_directory(const char *directory)
{
	if (chdir(directory) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("cannot make the host's files the root directory: %s", strerror(errno));
}

/* What udev and systemd would have done: the kernel's file systems and the links that shells rely on. */
static void mount_kernel_file_systems(void)
{
	try_mount("proc", "/proc", NULL);
	try_mount("sysfs", "/sys", NULL);
	try_mount("devtmpfs", "/dev", NULL);
	try_mount("devpts", "/dev/pts", "ptmxmode=0666,mode=0620");
	try_mount("tmpfs", "/dev/shm", "mode=1777,size=100%");
	try_mount("tmpfs", "/run", "mode=0755");
	make_path("/run/lock");
	try_mount("debugfs", "/sys/kernel/debug", NULL);
	try_mount("tracefs", "/sys/kernel/tracing", NULL);
	try_mount("bpf", "/sys/fs/bpf", "mode=0700");
	try_mount("cgroup2", "/sys/fs/cgroup", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* The device appears a moment after its driver is there. */
static void open_port(void)
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
static int forward_until_end(pid_t command, int out, int err)
{
	struct signalfd_siginfo ignored;
	struct pollfd ends[3] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN }, { .events = POLLIN } };
	sigset_t child;
	int status = 0;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	ends[2].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		if (reap(command, &status))
			break;
		poll(ends, 3, -1);
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
	char *job, *directory, *modules, **argv, **env, frame[HEADER + 256];
	int count, out[2], err[2], code;
	struct utsname kernel;
	sigset_t child;
	pid_t command;

	setvbuf(stdout, NULL, _IOLBF, 0);
	try_mount("devtmpfs", "/dev", NULL);
	try_mount("proc", "/proc", NULL);
	try_mount("sysfs", "/sys", NULL);
	job = read_job();
	for (count = atoi(next(&job)); count > 0; count--)
		load_module(next(&job));
	modules = next(&job);
	directory = next(&job);
	count = atoi(next(&job));
	argv = next_many(&job, count);
	count = atoi(next(&job));
	env = next_many(&job, count);

	open_port();
	mount_host();
	if (*modules)
		show_modules(modules);
	become_root_directory("/newroot");
	mount_kernel_file_systems();
	loopback_up();
	sethostname("uffd-vm", strlen("uffd-vm"));

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
	code = forward_until_end(command, out[0], err[0]);
	frame[HEADER] = code;
	send_frame('X', frame, 1);
	sleep(10); /* the host ends QEMU when it has read the frame; this is for when there is no host any more */
	power_off();
}
