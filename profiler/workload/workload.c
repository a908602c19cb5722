// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ground truth: take page faults in one region and count them here, in the program that takes them, so
 * that a profiler's counts can be compared with equality. The order of things:
 *
 *   noise child - map, fill the page cache - populate - register - write-protect - page out
 *   - (fork) - touching threads, warmed up - handlers - "ready" - touches - "done" - JSON
 *
 * Nothing touches the region's mapping before "ready" except --populate, which only writes.
 */
#include "handler.h"
#include "noise.h"
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct options *options;

static void on_alarm(int number)
{
    (void)number;
    stop(STOP_FAILED, "the touches took longer than --timeout %u seconds", options->timeout_s);
}

/* One line of stdin, or its end. Returns false at the end. */
static bool read_line(void)
{
    char byte = 0;

    while (byte != '\n')
        if (read(STDIN_FILENO, &byte, 1) != 1)
            return false;
    return true;
}

static void gate_ready(int pid)
{
    if (!options->gate)
        return;
    dprintf(STDOUT_FILENO, "ready %d\n", pid);
    if (!read_line())
        stop(STOP_FAILED, "--gate: stdin ended before the line that lets the touches begin");
}

static void gate_done(void)
{
    if (!options->gate)
        return;
    alarm(0);
    dprintf(STDOUT_FILENO, "done\n");
    read_line();
}

/* All of `bytes` through a pipe; false if the other side is gone. */
static bool transfer(int fd, void *data, size_t bytes, ssize_t (*step)(int, void *, size_t))
{
    for (size_t at = 0; at < bytes;) {
        ssize_t moved = step(fd, (char *)data + at, bytes - at);

        if (moved <= 0 && !(moved < 0 && errno == EINTR))
            return false;
        at += moved > 0 ? (size_t)moved : 0;
    }
    return true;
}

static ssize_t write_step(int fd, void *data, size_t bytes)
{
    return write(fd, data, bytes);
}

struct child {
    pid_t pid;
    int from, to;
};

/* The forked child: its copy of the memory is not registered. A shared mapping for the results would be shmem
 * and spoil the count, so they go through a pipe. */
static _Noreturn void child_main(const struct options *o, const struct region *region, struct uffd *uffd,
                                 int in, int out, struct touch_count *count)
{
    char byte = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    atomic_store(&uffd->live_mode, 0);
    touch_prepare(o, region, uffd, count);
    if (transfer(out, &byte, 1, write_step) && transfer(in, &byte, 1, read)) {
        touch_run();
        /* The child stays until the parent lets it go: a harness may look at it after "done". */
        if (transfer(out, count, touch_count_size(o), write_step))
            transfer(in, &byte, 1, read);
    }
    _exit(0);
}

static _Noreturn void child_failed(const struct child *child)
{
    int status = 0;

    waitpid(child->pid, &status, 0);
    /* It has said why on stderr itself. */
    if (WIFEXITED(status) && WEXITSTATUS(status))
        _exit(WEXITSTATUS(status));
    stop(STOP_FAILED, "--fork: the child died");
}

static struct child child_start(const struct options *o, const struct region *region, struct uffd *uffd,
                                struct touch_count *count)
{
    int to_child[2], from_child[2];
    struct child child;
    char byte;

    if (pipe(to_child) || pipe(from_child))
        stop(STOP_FAILED, "--fork: pipe: %s", strerror(errno));
    child.pid = fork();
    if (child.pid < 0)
        stop(STOP_FAILED, "--fork: %s", strerror(errno));
    if (child.pid == 0) {
        close(to_child[1]);
        close(from_child[0]);
        child_main(o, region, uffd, to_child[0], from_child[1], count);
    }
    close(to_child[0]);
    close(from_child[1]);
    child.from = from_child[0];
    child.to = to_child[1];
    if (!transfer(child.from, &byte, 1, read))
        child_failed(&child);
    return child;
}

static void child_run(const struct child *child, const struct options *o, struct touch_count *count)
{
    if (!transfer(child->to, "g", 1, write_step) || !transfer(child->from, count, touch_count_size(o), read))
        child_failed(child);
}

static void child_end(const struct child *child)
{
    close(child->to);
    waitpid(child->pid, NULL, 0);
}

int main(int argc, char **argv)
{
    struct options o = options_parse(argc, argv);
    struct facts facts = {.pid = getpid(), .touch_pid = getpid()};
    static struct uffd uffd;
    struct child child = {0};
    struct region region;
    struct touch_count *count = allocate(1, touch_count_size(&o));

    options = &o;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_alarm);
    noise_start(o.noise);
    region = memory_map(&o);
    if (o.populate || o.swap)
        facts.setup_faults = memory_populate(&region);
    uffd_open(&uffd, &o, &region);
    if (o.marker) {
        uffd_protect(&uffd);
        memory_look_for_protection(&o, &region);
    }
    if (o.swap)
        facts.swapped_before = memory_page_out(&region);
    if (o.cold_file && o.cache == CACHE_EMPTY)
        memory_drop_cache(&region, o.cold_file);
    facts.cached_before = memory_cached(&region);

    if (o.fork) {
        child = child_start(&o, &region, &uffd, count);
        facts.touch_pid = child.pid;
    } else {
        touch_prepare(&o, &region, &uffd, count);
    }
    handlers_start(&uffd);
    gate_ready(facts.touch_pid);
    alarm(o.timeout_s);
    if (o.fork)
        child_run(&child, &o, count);
    else
        touch_run();
    gate_done();
    if (o.fork)
        child_end(&child);
    handlers_stop();
    facts.noise_faults = noise_stop();
    facts.cached_after = memory_cached(&region);
    report(&o, &region, &uffd, count, &facts);
    return 0;
}
