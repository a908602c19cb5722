/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: one frozen struct, checked completely before anything is mapped. */
#ifndef WORKLOAD_OPTIONS_H
#define WORKLOAD_OPTIONS_H

#include "common.h"

enum backing {
    BACKING_ANON,
    BACKING_MEMFD,
    BACKING_MEMFD_PRIVATE,
    BACKING_TMPFS,
    BACKING_HUGETLB,
    BACKING_FILE, /* --cold-file */
};

enum cache { CACHE_EMPTY, CACHE_HALF, CACHE_FULL };

/* The bits of UFFDIO_REGISTER_MODE_*, under names that a 5.10 uapi header has too. */
enum { MODE_MISSING = 1, MODE_WP = 2, MODE_MINOR = 4 };

enum gup { GUP_NO, GUP_AUTO, GUP_POPULATE, GUP_PROCESS_VM };

struct options {
    enum backing backing;
    unsigned mode; /* MODE_* */
    enum cache cache;
    bool write;
    bool random;
    uint64_t pages;
    uint64_t stride;
    uint64_t seed;
    unsigned threads;
    unsigned handlers;
    unsigned noise;
    uint64_t delay_us;
    uint64_t signals;
    uint64_t wake_first;
    unsigned timeout_s;
    enum gup gup;
    bool same_page;
    bool touch_once;
    bool marker;
    bool populate;
    bool zeropage;
    bool sigbus;
    bool gather;
    bool kernel_access;
    bool fork;
    bool unregister_while_waiting;
    bool close_while_waiting;
    bool swap;
    bool gate;
    bool summary;
    const char *cold_file;
};

/* Parse and check; a wrong value is one sentence and exit 2, --help prints and exits 0. */
struct options options_parse(int argc, char **argv);

const char *backing_name(enum backing backing);
const char *cache_name(enum cache cache);

/* "none", "missing", "missing+wp", ... in the order missing, wp, minor. */
const char *mode_name(unsigned mode);

#endif
