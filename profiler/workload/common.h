/* SPDX-License-Identifier: GPL-2.0-only */
/* What every part of the ground-truth workload shares: how it stops, and its clock. */
#ifndef WORKLOAD_COMMON_H
#define WORKLOAD_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; the same numbers as profiler/errors.py. */
enum {
    STOP_FAILED = 1,      /* the run broke: a thread did not wait, a system call failed */
    STOP_USAGE = 2,       /* a wrong option */
    STOP_UNAVAILABLE = 3, /* this kernel or machine cannot do what was asked */
};

/* Print one sentence on stderr and end the whole process with `code`. */
_Noreturn void stop(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/* Sleep for `us` microseconds; returns at once for 0. */
void sleep_us(uint64_t us);

/* calloc that never returns NULL and whose pages are already touched. */
void *allocate(size_t count, size_t size);

#endif
