/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads that touch: each tells first what its touch must do, then touches, and counts what happened. */
#ifndef WORKLOAD_TOUCH_H
#define WORKLOAD_TOUCH_H

#include "oracle.h"
#include "uffd.h"

/* The oracle's word, summed. */
struct expectation {
    uint64_t faults, faults_min;            /* completed */
    uint64_t missing, wp, minor;            /* userfaults */
    uint64_t refused;                       /* SIGBUS or EFAULT */
    uint64_t inexact;                       /* touches whose count depends on the kernel's version */
};

/* Of a kernel that raises MINOR; and of one that faults around in regions registered for it, so that a read
 * maps the page ahead of that. What was told of the wrong one counts for nothing: see expected(). */
enum kernel_kind { KERNEL_RAISES_MINOR, KERNEL_BYPASSES_MINOR, KERNEL_KINDS };

/* Plain numbers only: it goes through a pipe from the forked child. */
struct thread_count {
    uint64_t touches;
    struct expectation told[KERNEL_KINDS];
    uint64_t fault_windows;                 /* touches that found their page absent */
    uint64_t faults_minor, faults_major;    /* RUSAGE_THREAD */
    uint64_t sigbus, efault;                /* what happened */
    uint64_t touch_ns;
};

#define UNKNOWN UINT64_MAX

struct touch_count {
    uint64_t present_before, present_after_first, present_after, signals;
    uint64_t gup_process_vm; /* 1: --gup used process_vm_readv */
    struct thread_count threads[]; /* options->threads of them */
};

static inline size_t touch_count_size(const struct options *o)
{
    return sizeof(struct touch_count) + o->threads * sizeof(struct thread_count);
}

/* Start the threads and let each go once through everything it will use; returns when all stand ready. */
void touch_prepare(const struct options *o, const struct region *region, struct uffd *uffd,
                   struct touch_count *count);

/* Let them touch; returns when all have. */
void touch_run(void);

#endif
