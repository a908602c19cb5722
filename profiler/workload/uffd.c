// SPDX-License-Identifier: GPL-2.0-only
#include "uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* uapi of later kernels than the headers may be. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_MINOR_HUGETLBFS
#define UFFD_FEATURE_MINOR_HUGETLBFS (1 << 9)
#endif
#ifndef UFFD_FEATURE_MINOR_SHMEM
#define UFFD_FEATURE_MINOR_SHMEM (1 << 10)
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

_Static_assert(MODE_MISSING == UFFDIO_REGISTER_MODE_MISSING && MODE_WP == UFFDIO_REGISTER_MODE_WP,
               "MODE_* are the kernel's bits");

const char *call_name(enum call call)
{
    static const char *const NAMES[CALLS] = {
        "API", "REGISTER", "UNREGISTER", "COPY", "ZEROPAGE", "WRITEPROTECT", "CONTINUE", "WAKE",
    };

    return NAMES[call];
}

#define NO_KERNEL (~0ull)

struct need {
    unsigned mode;
    enum backing backing; /* of one class: anon, hugetlb, and memfd for everything on shmem */
    uint64_t feature;     /* 0: every kernel can */
    const char *name;
};

static const struct need NEEDS[] = {
    {MODE_MISSING, BACKING_ANON, 0, ""},
    {MODE_MISSING, BACKING_MEMFD, UFFD_FEATURE_MISSING_SHMEM, "UFFD_FEATURE_MISSING_SHMEM"},
    {MODE_MISSING, BACKING_HUGETLB, UFFD_FEATURE_MISSING_HUGETLBFS, "UFFD_FEATURE_MISSING_HUGETLBFS"},
    {MODE_WP, BACKING_ANON, UFFD_FEATURE_PAGEFAULT_FLAG_WP, "UFFD_FEATURE_PAGEFAULT_FLAG_WP"},
    {MODE_WP, BACKING_MEMFD, UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "UFFD_FEATURE_WP_HUGETLBFS_SHMEM"},
    {MODE_WP, BACKING_HUGETLB, UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "UFFD_FEATURE_WP_HUGETLBFS_SHMEM"},
    {MODE_MINOR, BACKING_ANON, NO_KERNEL, "a page cache (UFFD_FEATURE_MINOR_SHMEM or _MINOR_HUGETLBFS)"},
    {MODE_MINOR, BACKING_MEMFD, UFFD_FEATURE_MINOR_SHMEM, "UFFD_FEATURE_MINOR_SHMEM (Linux 5.14)"},
    {MODE_MINOR, BACKING_HUGETLB, UFFD_FEATURE_MINOR_HUGETLBFS, "UFFD_FEATURE_MINOR_HUGETLBFS (Linux 5.13)"},
};

static int open_plainly(struct uffd *uffd)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == EPERM) {
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        uffd->user_mode_only = true;
    }
    if (fd < 0)
        stop(STOP_UNAVAILABLE, "userfaultfd: %s; %s", strerror(errno),
             errno == ENOSYS ? "this kernel needs CONFIG_USERFAULTFD"
                             : "run as root, or sysctl vm.unprivileged_userfaultfd=1");
    return fd;
}

/* One ioctl, tallied. Returns 0 or the errno. */
static int call(struct uffd *uffd, int fd, enum call name, unsigned long request, void *argument)
{
    int error = ioctl(fd, request, argument) ? errno : 0;

    atomic_fetch_add(&uffd->tally.ioctls[name][error < CALL_ERRNOS ? error : CALL_ERRNOS - 1], 1);
    return error;
}

static uint64_t negotiate(struct uffd *uffd, int fd, uint64_t wanted)
{
    struct uffdio_api api = {.api = UFFD_API, .features = wanted};
    int error = call(uffd, fd, CALL_API, UFFDIO_API, &api);

    if (error)
        stop(STOP_UNAVAILABLE, "UFFDIO_API with features %#llx: %s", (unsigned long long)wanted,
             strerror(error));
    return api.features;
}

static uint64_t needed_features(const struct uffd *uffd, const struct options *o)
{
    bool shmem = o->backing != BACKING_ANON && o->backing != BACKING_HUGETLB;
    enum backing class = shmem ? BACKING_MEMFD : o->backing;
    uint64_t wanted = 0;

    for (size_t i = 0; i < sizeof(NEEDS) / sizeof(*NEEDS); i++) {
        const struct need *need = &NEEDS[i];

        if (need->backing != class || !(o->mode & need->mode))
            continue;
        if (need->feature & ~uffd->features)
            stop(STOP_UNAVAILABLE, "mode %s on backing %s: %s %s", mode_name(o->mode),
                 backing_name(o->backing),
                 need->feature == NO_KERNEL ? "no kernel can, minor needs" : "this kernel lacks", need->name);
        wanted |= need->feature;
    }
    if (o->sigbus && !(uffd->features & UFFD_FEATURE_SIGBUS))
        stop(STOP_UNAVAILABLE, "--sigbus: this kernel lacks UFFD_FEATURE_SIGBUS");
    return wanted | (o->sigbus ? UFFD_FEATURE_SIGBUS : UFFD_FEATURE_THREAD_ID);
}

static void need_ioctl(const struct options *o, uint64_t offered, unsigned number, enum call name)
{
    if (!(offered & (1ull << number)))
        stop(STOP_UNAVAILABLE, "mode %s on backing %s: this kernel offers no UFFDIO_%s there",
             mode_name(o->mode), backing_name(o->backing), call_name(name));
}

void uffd_open(struct uffd *uffd, const struct options *o, const struct region *region)
{
    struct uffdio_register registration = {
        .range = {.start = (uintptr_t)region->start, .len = region->pages * region->page_size},
        .mode = o->mode,
    };
    char path[64];
    int error, probe;
    uint64_t wanted;

    uffd->options = o;
    uffd->region = region;
    uffd->fd = uffd->fdinfo = -1;
    if (!o->mode)
        return;
    if (o->backing == BACKING_FILE)
        stop(STOP_UNAVAILABLE, "mode %s on backing file: userfaultfd takes anonymous memory, shmem and "
             "hugetlb (a file only with UFFD_FEATURE_WP_ASYNC)", mode_name(o->mode));
    /* What a kernel offers is only told by an API call, and one descriptor takes only one. */
    probe = open_plainly(uffd);
    uffd->features = negotiate(uffd, probe, 0);
    close(probe);
    wanted = needed_features(uffd, o);
    uffd->fd = open_plainly(uffd);
    negotiate(uffd, uffd->fd, wanted);

    error = call(uffd, uffd->fd, CALL_REGISTER, UFFDIO_REGISTER, &registration);
    if (error)
        stop(STOP_UNAVAILABLE, "mode %s on backing %s: UFFDIO_REGISTER: %s, though the feature bits %#llx "
             "are offered", mode_name(o->mode), backing_name(o->backing), strerror(error),
             (unsigned long long)wanted);
    if (o->mode & MODE_MISSING)
        need_ioctl(o, registration.ioctls, o->zeropage ? _UFFDIO_ZEROPAGE : _UFFDIO_COPY,
                   o->zeropage ? CALL_ZEROPAGE : CALL_COPY);
    if (o->mode & MODE_WP)
        need_ioctl(o, registration.ioctls, _UFFDIO_WRITEPROTECT, CALL_WRITEPROTECT);
    if (o->mode & MODE_MINOR)
        need_ioctl(o, registration.ioctls, _UFFDIO_CONTINUE, CALL_CONTINUE);
    atomic_store(&uffd->live_mode, o->mode);

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uffd->fd);
    uffd->fdinfo = open(path, O_RDONLY | O_CLOEXEC);
    if (uffd->fdinfo < 0)
        stop(STOP_FAILED, "%s: %s", path, strerror(errno));
}

void uffd_protect(struct uffd *uffd)
{
    const struct region *region = uffd->region;
    struct uffdio_writeprotect protect = {
        .range = {.start = (uintptr_t)region->start, .len = region->pages * region->page_size},
        .mode = UFFDIO_WRITEPROTECT_MODE_WP,
    };
    int error = call(uffd, uffd->fd, CALL_WRITEPROTECT, UFFDIO_WRITEPROTECT, &protect);

    if (error)
        stop(STOP_FAILED, "--marker: UFFDIO_WRITEPROTECT: %s", strerror(error));
}

/* EAGAIN: the address space is changing (a fork, an unmap). Ask again, as long as it takes. */
static int repeat(struct uffd *uffd, enum call name, unsigned long request, void *argument)
{
    int error;

    while ((error = call(uffd, uffd->fd, name, request, argument)) == EAGAIN)
        sleep_us(1);
    return error;
}

int uffd_wake(struct uffd *uffd, uint64_t address, uint64_t pages)
{
    struct uffdio_range range = {.start = address, .len = pages * uffd->region->page_size};

    return call(uffd, uffd->fd, CALL_WAKE, UFFDIO_WAKE, &range);
}

int uffd_fill(struct uffd *uffd, uint64_t address, const char *source)
{
    size_t length = uffd->region->page_size;
    struct uffdio_zeropage zero = {.range = {.start = address, .len = length}};
    struct uffdio_copy copy = {.dst = address, .src = (uintptr_t)source, .len = length};

    if (uffd->options->zeropage)
        return repeat(uffd, CALL_ZEROPAGE, UFFDIO_ZEROPAGE, &zero);
    return repeat(uffd, CALL_COPY, UFFDIO_COPY, &copy);
}

int uffd_unprotect(struct uffd *uffd, uint64_t address)
{
    struct uffdio_writeprotect clear = {.range = {.start = address, .len = uffd->region->page_size}};

    return repeat(uffd, CALL_WRITEPROTECT, UFFDIO_WRITEPROTECT, &clear);
}

int uffd_continue(struct uffd *uffd, uint64_t address)
{
    struct uffdio_continue resume = {.range = {.start = address, .len = uffd->region->page_size}};

    return repeat(uffd, CALL_CONTINUE, UFFDIO_CONTINUE, &resume);
}

int uffd_unregister(struct uffd *uffd)
{
    const struct region *region = uffd->region;
    struct uffdio_range all = {.start = (uintptr_t)region->start, .len = region->pages * region->page_size};

    return call(uffd, uffd->fd, CALL_UNREGISTER, UFFDIO_UNREGISTER, &all);
}
