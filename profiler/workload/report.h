/* SPDX-License-Identifier: GPL-2.0-only */
/* What was counted: one line of JSON, or a sentence (--summary). */
#ifndef WORKLOAD_REPORT_H
#define WORKLOAD_REPORT_H

#include "touch.h"

struct facts {
    int pid, touch_pid;
    uint64_t setup_faults, swapped_before, cached_before, cached_after, noise_faults;
};

void report(const struct options *o, const struct region *region, const struct uffd *uffd,
            const struct touch_count *count, const struct facts *facts);

#endif
