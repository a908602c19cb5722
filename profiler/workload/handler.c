// SPDX-License-Identifier: GPL-2.0-only
#include "handler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_PAGEFAULT_FLAG_MINOR
#define UFFD_PAGEFAULT_FLAG_MINOR (1 << 2)
#endif
#define SAMPLE_US 200u

/* One touching thread's fault as the handlers see it: the same fault may come again by signal or wake. */
struct waiter {
    pid_t tid;
    uint64_t address;
    uint64_t wakes;
    bool open, signalled;
};

static struct {
    struct uffd *uffd;
    unsigned threads;
    pthread_t *ids;
    int stop_fd;
    char *source;              /* what UFFDIO_COPY fills in */
    _Atomic uint8_t *resolved; /* per page */
    atomic_bool gathered;
    pthread_mutex_t lock;      /* of the waiters */
    struct waiter *waiters;
} crew = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* "total" of /proc/self/fdinfo: threads in handle_userfault, whether their message was read or not. */
static uint64_t sample_waiting(struct uffd *uffd)
{
    char text[512] = "", *total;
    uint64_t waiting, most = atomic_load(&uffd->tally.max_waiting);

    if (pread(uffd->fdinfo, text, sizeof(text) - 1, 0) <= 0 || !(total = strstr(text, "total:")))
        return 0;
    waiting = strtoull(total + strlen("total:"), NULL, 10);
    while (waiting > most && !atomic_compare_exchange_weak(&uffd->tally.max_waiting, &most, waiting))
        ;
    return waiting;
}

/* Wait until every touching thread waits; `resolved`, if given, ends the wait too. */
static void wait_for_all(struct uffd *uffd, const _Atomic uint8_t *resolved)
{
    /* A little before the alarm of --timeout, which could not say why. */
    uint64_t until = now_ns() + uffd->options->timeout_s * 1000000000ull - 500000000u, waiting;

    while ((waiting = sample_waiting(uffd)) < uffd->options->threads) {
        if (resolved && atomic_load(resolved))
            return;
        if (now_ns() > until)
            stop(STOP_FAILED, "only %llu of %u threads wait for userspace: not every thread's touch raises a "
                 "userfault in mode %s", (unsigned long long)waiting, uffd->options->threads,
                 mode_name(uffd->options->mode));
        sleep_us(SAMPLE_US);
    }
}

static struct waiter *find_waiter(pid_t tid)
{
    unsigned i = 0;

    while (crew.waiters[i].tid && crew.waiters[i].tid != tid)
        i++;
    crew.waiters[i].tid = tid;
    return &crew.waiters[i];
}

/* Make the fault come again, by signal or by a wake without a fill. False: it is to be resolved now. */
static bool bounce(struct uffd *uffd, pid_t tid, uint64_t address)
{
    const struct options *o = uffd->options;
    bool signal_it, wake_it;
    struct waiter *waiter;

    if (!o->signals && !o->wake_first)
        return false;
    pthread_mutex_lock(&crew.lock);
    waiter = find_waiter(tid);
    if (!waiter->open || waiter->address != address)
        *waiter = (struct waiter){.tid = tid, .address = address, .open = true};
    else if (waiter->wakes)
        atomic_fetch_add(&uffd->tally.rewaits, 1);
    signal_it = !waiter->signalled && atomic_load(&uffd->tally.signals_sent) < o->signals;
    wake_it = !signal_it && waiter->wakes < o->wake_first;
    if (signal_it) {
        waiter->signalled = true;
        atomic_fetch_add(&uffd->tally.signals_sent, 1);
    }
    waiter->wakes += wake_it;
    waiter->open = signal_it || wake_it;
    pthread_mutex_unlock(&crew.lock);

    if (signal_it && syscall(SYS_tgkill, getpid(), tid, SIGUSR1))
        stop(STOP_FAILED, "cannot signal thread %d: %s", tid, strerror(errno));
    if (wake_it)
        uffd_wake(uffd, address, 1);
    return signal_it || wake_it;
}

static void resolve(struct uffd *uffd, const struct uffd_msg *message)
{
    const struct region *region = uffd->region;
    uint64_t address = message->arg.pagefault.address & ~(uint64_t)(region->page_size - 1);
    uint64_t flags = message->arg.pagefault.flags;
    uint64_t page = (address - (uintptr_t)region->start) / region->page_size;
    int error;

    if (flags & UFFD_PAGEFAULT_FLAG_WP)
        atomic_fetch_add(&uffd->tally.wp, 1);
    else if (flags & UFFD_PAGEFAULT_FLAG_MINOR)
        atomic_fetch_add(&uffd->tally.minor, 1);
    else
        atomic_fetch_add(&uffd->tally.missing, 1);
    if (page >= region->pages)
        stop(STOP_FAILED, "a message for %#llx, which is outside the region", (unsigned long long)address);
    sample_waiting(uffd);
    sleep_us(uffd->options->delay_us);
    if (bounce(uffd, (pid_t)message->arg.pagefault.feat.ptid, address))
        return;
    if (uffd->options->same_page)
        wait_for_all(uffd, &crew.resolved[page]);
    else if (uffd->options->gather && !atomic_load(&crew.gathered)) {
        wait_for_all(uffd, (_Atomic uint8_t *)&crew.gathered);
        atomic_store(&crew.gathered, true);
    }
    atomic_store(&crew.resolved[page], 1);

    if (flags & UFFD_PAGEFAULT_FLAG_WP)
        error = uffd_unprotect(uffd, address);
    else if (flags & UFFD_PAGEFAULT_FLAG_MINOR)
        error = uffd_continue(uffd, address);
    else
        error = uffd_fill(uffd, address, crew.source);
    /* Somebody else filled the page: the waiter only has to look again. */
    if (error == EEXIST)
        error = uffd_wake(uffd, address, 1);
    if (error)
        stop(STOP_FAILED, "resolving the fault at %#llx (message flags %#llx): %s",
             (unsigned long long)address, (unsigned long long)flags, strerror(error));
}

/* Wait until no other thread of this process runs. The kernel counts a thread as waiting a moment before it sleeps;
 * /proc/self/task/TID/syscall says "running" until it is off its CPU (fs/proc/base.c, proc_pid_syscall()). */
static void wait_until_asleep(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;

    while (tasks && (task = readdir(tasks))) {
        char path[64], text[16];
        int fd;

        if (atoi(task->d_name) <= 0 || atoi(task->d_name) == gettid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/syscall", task->d_name);
        if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            continue; /* it has ended */
        while (pread(fd, text, sizeof(text), 0) > 7 && !strncmp(text, "running", 7))
            sleep_us(SAMPLE_US);
        close(fd);
    }
    if (tasks)
        closedir(tasks);
}

/* --unregister-while-waiting, --close-while-waiting: no message is read. */
static void abandon(struct uffd *uffd)
{
    int error;

    wait_for_all(uffd, NULL);
    wait_until_asleep();
    atomic_store(&uffd->live_mode, 0);
    if (uffd->options->close_while_waiting) {
        close(uffd->fdinfo);
        close(uffd->fd);
        return;
    }
    error = uffd_unregister(uffd);
    /* UNREGISTER wakes by itself only where MISSING was registered. */
    if (!error && !(uffd->options->mode & MODE_MISSING))
        error = uffd_wake(uffd, (uintptr_t)uffd->region->start, uffd->region->pages);
    if (error)
        stop(STOP_FAILED, "UFFDIO_UNREGISTER: %s", strerror(error));
}

static void *handle(void *argument)
{
    struct uffd *uffd = argument;
    struct pollfd ready[2] = {{.fd = uffd->fd, .events = POLLIN}, {.fd = crew.stop_fd, .events = POLLIN}};

    if (uffd->options->unregister_while_waiting || uffd->options->close_while_waiting) {
        abandon(uffd);
        return NULL;
    }
    for (;;) {
        struct uffd_msg message;
        ssize_t length;

        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            stop(STOP_FAILED, "poll on the userfaultfd: %s", strerror(errno));
        if (ready[1].revents)
            return NULL;
        length = read(uffd->fd, &message, sizeof(message));
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (length != sizeof(message))
            stop(STOP_FAILED, "read of the userfaultfd: %s", length < 0 ? strerror(errno) : "short");
        if (message.event == UFFD_EVENT_PAGEFAULT)
            resolve(uffd, &message);
        else
            atomic_fetch_add(&uffd->tally.other, 1);
    }
}

void handlers_start(struct uffd *uffd)
{
    const struct options *o = uffd->options;

    if (!o->mode || o->sigbus)
        return;
    crew.uffd = uffd;
    crew.threads = o->handlers;
    crew.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    crew.ids = allocate(o->handlers, sizeof(*crew.ids));
    crew.resolved = allocate(uffd->region->pages, sizeof(*crew.resolved));
    crew.waiters = allocate(o->threads + 1, sizeof(*crew.waiters));
    crew.source = aligned_alloc(uffd->region->page_size, uffd->region->page_size);
    if (crew.stop_fd < 0 || !crew.source)
        stop(STOP_FAILED, "cannot start the handlers: %s", strerror(errno));
    memset(crew.source, 0xc5, uffd->region->page_size);
    sample_waiting(uffd);
    for (unsigned i = 0; i < o->handlers; i++)
        if (pthread_create(&crew.ids[i], NULL, handle, uffd))
            stop(STOP_FAILED, "cannot start handler thread %u", i);
}

void handlers_stop(void)
{
    uint64_t one = 1;

    if (crew.threads && write(crew.stop_fd, &one, sizeof(one)) < 0)
        stop(STOP_FAILED, "cannot stop the handlers: %s", strerror(errno));
    for (unsigned i = 0; i < crew.threads; i++)
        pthread_join(crew.ids[i], NULL);
}
