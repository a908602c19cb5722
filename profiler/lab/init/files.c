/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's file systems: the host's files, read-only, with a few directories over them that can be written to. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init.h"

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

/* The working directory is shown as it is, below /tmp too: to look a file up in an overlay over 9p takes long. */
static void show_working_directory(const char *directory)
{
	char from[4096], to[4096];

	if (strncmp(directory, "/tmp/", strlen("/tmp/")))
		return;
	snprintf(from, sizeof(from), "/host%s", directory);
	snprintf(to, sizeof(to), "/newroot%s", directory);
	mount(from, to, NULL, MS_BIND, NULL);
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
static void mount_host(const char *directory)
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
	else
		show_working_directory(directory);
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

/*
 * Programs that were compiled (profiler/hooks/kept.py) in earlier VMs of this kernel, and are for later ones. Without it
 * each compiles for itself. The folder has to be root's alone, whoever the host's user is. No cache: other VMs write too.
 */
static void mount_kept(void)
{
	static const char where[] = "/run/uffd-profiler";

	make_path(where);
	if (!mount("kept", where, "9p", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   "trans=virtio,version=9p2000.L,access=any,msize=524288"))
		chown(where, 0, 0);
	chmod(where, 0700);
}

void mount_early_file_systems(void)
{
	try_mount("devtmpfs", "/dev", NULL);
	try_mount("proc", "/proc", NULL);
	try_mount("sysfs", "/sys", NULL);
}

void make_root_directory(const char *modules, const char *directory)
{
	mount_host(directory);
	if (*modules)
		show_modules(modules);
	become_root_directory("/newroot");
	mount_kernel_file_systems();
	mount_kept();
}
