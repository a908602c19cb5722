/* SPDX-License-Identifier: GPL-2.0-only */
/* A child process that takes unrelated anonymous and file faults, and none on shmem. */
#ifndef WORKLOAD_NOISE_H
#define WORKLOAD_NOISE_H

#include <stdint.h>

/* Fork the child and return once its threads fault; nothing for 0 threads. Call before anything else. */
void noise_start(unsigned threads);

/* End it. Returns the page faults it took. */
uint64_t noise_stop(void);

#endif
