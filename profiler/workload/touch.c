// SPDX-License-Identifier: GPL-2.0-only
#include "touch.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define STACK_SIZE (256u << 10)
#define STACK_TOUCHED (96u << 10)

struct toucher {
    pthread_t id;
    unsigned index;
    uint32_t *pages; /* in the order of touching */
    size_t length;
    int pipe[2];     /* --kernel-access */
    struct thread_count *count;
};

static struct {
    const struct options *options;
    const struct region *region;
    struct uffd *uffd;
    struct touch_count *count;
    struct toucher *touchers;
    int pagemap;
    enum gup gup;
    bool leader_first; /* thread 0 touches alone once, so that the neighbours it mapped can be counted */
    pthread_barrier_t all_and_main, all;
} run;

static _Atomic uint64_t signals;
static __thread sigjmp_buf landing;
static __thread volatile sig_atomic_t may_land;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

static void on_sigbus(int number)
{
    if (may_land)
        siglongjmp(landing, 1);
    signal(number, SIG_DFL);
    raise(number);
}

/* The kernel copies one byte between the page and a pipe. */
static bool kernel_touch(const struct toucher *self, char *address)
{
    char byte = 1;
    bool refused;

    if (run.options->write) {
        if (write(self->pipe[1], &byte, 1) != 1)
            stop(STOP_FAILED, "write to a pipe: %s", strerror(errno));
        refused = read(self->pipe[0], address, 1) != 1;
    } else {
        refused = write(self->pipe[1], address, 1) != 1;
    }
    if (refused && errno != EFAULT)
        stop(STOP_FAILED, "--kernel-access: %s", strerror(errno));
    if (run.options->write == refused && read(self->pipe[0], &byte, 1) != 1)
        stop(STOP_FAILED, "read from a pipe: %s", strerror(errno));
    return !refused;
}

/* get_user_pages faults the page in, without an exception. */
static bool gup_touch(char *address, size_t length)
{
    char byte = 1;
    struct iovec here = {&byte, 1}, there = {address, 1};
    ssize_t done;

    if (run.gup == GUP_POPULATE)
        done = madvise(address, length, run.options->write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    else if (run.options->write)
        done = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
    else
        done = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    if (done < 0 && errno != EFAULT)
        stop(run.gup == GUP_POPULATE && errno == EINVAL ? STOP_UNAVAILABLE : STOP_FAILED, "--gup: %s; "
             "MADV_POPULATE_* needs Linux 5.14, --gup=process-vm needs none", strerror(errno));
    return done >= 0;
}

static void touch(const struct toucher *self, char *address, size_t length)
{
    if (run.gup != GUP_NO) {
        self->count->efault += !gup_touch(address, length);
        return;
    }
    if (run.options->kernel_access) {
        self->count->efault += !kernel_touch(self, address);
        return;
    }
    may_land = 1;
    if (sigsetjmp(landing, 0))
        self->count->sigbus++;
    else if (run.options->write)
        *(volatile char *)address = (char)(self->index + 2);
    else
        (void)*(volatile char *)address;
    may_land = 0;
}

static void tell(struct toucher *self, uint64_t page)
{
    unsigned mode = atomic_load(&run.uffd->live_mode);
    bool by_kernel = run.options->kernel_access || run.gup != GUP_NO;
    bool refuse = run.options->sigbus || (run.uffd->user_mode_only && by_kernel);
    struct thread_count *count = self->count;
    uint64_t entry = pagemap_entry(run.pagemap, run.region, page);

    if (run.region->hides_wp && (entry & PAGE_PRESENT))
        entry |= PAGE_UFFD_WP;

    for (enum kernel_kind kind = 0; kind < KERNEL_KINDS; kind++) {
        bool bypass = kind == KERNEL_BYPASSES_MINOR;
        struct prediction p = predict(run.options, run.region, page, entry, mode, refuse, bypass);
        struct expectation *told = &count->told[kind];

        told->faults += p.faults;
        told->faults_min += run.options->same_page && self->index ? p.late_min : p.faults_min;
        told->missing += p.missing;
        told->wp += p.wp;
        told->minor += p.minor;
        told->refused += p.refused;
        told->inexact += !p.exact;
    }
    count->fault_windows += !(entry & PAGE_PRESENT);
}

static void touch_page(struct toucher *self, uint64_t page)
{
    uint64_t began;

    tell(self, page);
    if (run.options->same_page)
        pthread_barrier_wait(&run.all);
    began = now_ns();
    touch(self, page_address(run.region, page), run.region->page_size);
    self->count->touch_ns += now_ns() - began;
    self->count->touches++;
    if (run.options->same_page)
        pthread_barrier_wait(&run.all);
}

static void count_after_first(const struct toucher *self)
{
    if (run.leader_first && self->index == 0)
        run.count->present_after_first = pagemap_count(run.pagemap, run.region, PAGE_PRESENT);
    if (run.leader_first && run.options->threads > 1)
        pthread_barrier_wait(&run.all);
}

static void touch_all(struct toucher *self)
{
    bool mine_first = self->index == 0 || run.options->same_page || !run.leader_first;
    size_t i = 0;

    if (mine_first && self->length)
        touch_page(self, self->pages[i++]);
    count_after_first(self);
    for (; i < self->length; i++)
        touch_page(self, self->pages[i]);
}

/*
 * Everything the loop uses, once, on memory that is not counted: afterwards no stack, libc page, buffer or
 * vDSO page of this thread is left to fault.
 */
static void warm_up(struct toucher *self, struct rusage *usage)
{
    volatile char stack[STACK_TOUCHED];
    size_t length = (size_t)sysconf(_SC_PAGESIZE);
    char *scratch = mmap(NULL, 2 * length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct toucher once = *self;

    if (scratch == MAP_FAILED)
        stop(STOP_FAILED, "out of memory: a scratch page");
    for (size_t i = 0; i < sizeof(stack); i += 512)
        stack[i] = 1;
    raise(SIGUSR1);
    if (!sigsetjmp(landing, 0)) {
        may_land = 1;
        raise(SIGBUS);
    }
    may_land = 0;
    for (int i = 0; i < 2; i++) {
        tell(&once, 0);
        touch(&once, scratch + (size_t)i * length, length);
        once.count->touch_ns += now_ns();
        getrusage(RUSAGE_THREAD, &usage[0]);
        getrusage(RUSAGE_THREAD, &usage[1]);
        pagemap_count(run.pagemap, run.region, PAGE_PRESENT);
        pthread_barrier_wait(&run.all);
    }
    munmap(scratch, 2 * length);
    memset(self->count, 0, sizeof(*self->count));
}

static void *touch_thread(void *argument)
{
    struct toucher *self = argument;
    struct rusage usage[2];

    warm_up(self, usage);
    pthread_barrier_wait(&run.all_and_main);
    pthread_barrier_wait(&run.all_and_main);
    getrusage(RUSAGE_THREAD, &usage[0]);
    touch_all(self);
    getrusage(RUSAGE_THREAD, &usage[1]);
    self->count->faults_minor = (uint64_t)(usage[1].ru_minflt - usage[0].ru_minflt);
    self->count->faults_major = (uint64_t)(usage[1].ru_majflt - usage[0].ru_majflt);
    pthread_barrier_wait(&run.all_and_main);
    return NULL;
}

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Which pages, in which order: blocks in turn, or every page for every thread with --same-page. */
static void share_out(struct toucher *self)
{
    const struct options *o = run.options;
    uint64_t state = o->seed + (o->same_page ? 0 : self->index);

    self->pages = allocate(o->pages / o->stride + 1, sizeof(*self->pages));
    for (uint64_t page = 0; page < (o->touch_once ? 1 : o->pages); page += o->stride)
        if (o->same_page || page / run.region->block % o->threads == self->index)
            self->pages[self->length++] = (uint32_t)page;
    for (size_t i = self->length; o->random && i > 1; i--) {
        size_t other = random_next(&state) % i;
        uint32_t swap = self->pages[i - 1];

        self->pages[i - 1] = self->pages[other];
        self->pages[other] = swap;
    }
    if (!self->length && (o->gather || o->unregister_while_waiting || o->close_while_waiting))
        stop(STOP_USAGE, "thread %u has no page to touch: for %u threads give at least --pages %llu, without "
             "--touch-once", self->index, o->threads, (unsigned long long)(run.region->block * o->threads));
}

/* MADV_POPULATE_READ where the kernel knows it. */
static enum gup choose_gup(const struct options *o)
{
    size_t length = (size_t)sysconf(_SC_PAGESIZE);
    char *scratch;
    enum gup chosen;

    if (o->gup != GUP_AUTO)
        return o->gup;
    scratch = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    chosen = madvise(scratch, length, MADV_POPULATE_READ) ? GUP_PROCESS_VM : GUP_POPULATE;
    munmap(scratch, length);
    return chosen;
}

void touch_prepare(const struct options *o, const struct region *region, struct uffd *uffd,
                   struct touch_count *count)
{
    struct sigaction on_usr1 = {.sa_handler = on_signal};
    struct sigaction on_bus = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER};
    pthread_attr_t attributes;

    run.options = o;
    run.region = region;
    run.uffd = uffd;
    run.count = count;
    run.pagemap = pagemap_open();
    run.gup = choose_gup(o);
    run.leader_first = !o->gather && !o->unregister_while_waiting && !o->close_while_waiting;
    run.touchers = allocate(o->threads, sizeof(*run.touchers));
    count->present_after_first = UNKNOWN;
    count->gup_process_vm = run.gup == GUP_PROCESS_VM;
    sigaction(SIGUSR1, &on_usr1, NULL);
    sigaction(SIGBUS, &on_bus, NULL);
    pthread_barrier_init(&run.all_and_main, NULL, o->threads + 1);
    pthread_barrier_init(&run.all, NULL, o->threads);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (unsigned i = 0; i < o->threads; i++) {
        struct toucher *self = &run.touchers[i];

        self->index = i;
        self->count = &count->threads[i];
        share_out(self);
        if (o->kernel_access && pipe(self->pipe))
            stop(STOP_FAILED, "pipe: %s", strerror(errno));
        if (pthread_create(&self->id, &attributes, touch_thread, self))
            stop(STOP_FAILED, "cannot start thread %u of %u", i, o->threads);
    }
    pthread_barrier_wait(&run.all_and_main);
    atomic_store(&signals, 0);
    count->present_before = pagemap_count(run.pagemap, region, PAGE_PRESENT);
}

void touch_run(void)
{
    pthread_barrier_wait(&run.all_and_main);
    pthread_barrier_wait(&run.all_and_main);
    for (unsigned i = 0; i < run.options->threads; i++)
        pthread_join(run.touchers[i].id, NULL);
    run.count->present_after = pagemap_count(run.pagemap, run.region, PAGE_PRESENT);
    run.count->signals = atomic_load(&signals);
}
