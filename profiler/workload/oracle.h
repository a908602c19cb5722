/* SPDX-License-Identifier: GPL-2.0-only */
/* What one touch must do, told before it from the state of its page: the rules in one place. */
#ifndef WORKLOAD_ORACLE_H
#define WORKLOAD_ORACLE_H

#include "memory.h"

struct prediction {
    unsigned faults;     /* faults that complete (one minflt or majflt each) */
    unsigned faults_min; /* the least of it: less than `faults` only where `exact` is false */
    unsigned late_min;   /* the least of it, if other threads touch this page too and one of them is first */
    unsigned missing, wp, minor; /* userfaults: waits, by reason */
    unsigned refused;    /* the touch ends in SIGBUS, or EFAULT if the kernel touches */
    bool exact;          /* false: how many exceptions or faults it is depends on the kernel's version */
};

/*
 * `entry` is the pagemap entry, `mode` the MODE_* registered now, `refuse` says that userfaults are refused
 * instead of waited for (--sigbus; a descriptor for user mode only, when the kernel touches), `bypass` that
 * fault-around maps cached pages of a MINOR region before anybody is asked.
 */
struct prediction predict(const struct options *o, const struct region *region, uint64_t page, uint64_t entry,
                          unsigned mode, bool refuse, bool bypass);

#endif
