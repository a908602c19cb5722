/* SPDX-License-Identifier: GPL-2.0-only */
/* The userfaultfd of the region: opening, registering, and its ioctls, each tallied. */
#ifndef WORKLOAD_UFFD_H
#define WORKLOAD_UFFD_H

#include "memory.h"

#include <stdatomic.h>

enum call {
    CALL_API, CALL_REGISTER, CALL_UNREGISTER, CALL_COPY, CALL_ZEROPAGE, CALL_WRITEPROTECT, CALL_CONTINUE,
    CALL_WAKE, CALLS,
};
#define CALL_ERRNOS 160 /* index 0: the call succeeded */

struct tally {
    _Atomic uint64_t missing, wp, minor, other; /* messages read, by reason */
    _Atomic uint64_t ioctls[CALLS][CALL_ERRNOS];
    _Atomic uint64_t rewaits;      /* messages that came again after an UFFDIO_WAKE without a fill */
    _Atomic uint64_t signals_sent;
    _Atomic uint64_t max_waiting;  /* most waiters /proc/self/fdinfo has shown */
};

struct uffd {
    const struct options *options;
    const struct region *region;
    int fd;     /* -1: none */
    int fdinfo;
    bool user_mode_only;
    uint64_t features; /* what the kernel offers */
    /* MODE_* the touching process is registered with now: 0 after unregister or close, and after fork. */
    atomic_uint live_mode;
    struct tally tally;
};

/* Open, negotiate and register as the options say; mode none leaves fd at -1. May stop with exit 3. */
void uffd_open(struct uffd *uffd, const struct options *o, const struct region *region);

/* Write-protect the whole region (--marker). */
void uffd_protect(struct uffd *uffd);

/* The ioctls of the handlers; fills are of one page, UNREGISTER is of the region. 0 or the errno; EAGAIN
 * is repeated. */
int uffd_fill(struct uffd *uffd, uint64_t address, const char *source);
int uffd_unprotect(struct uffd *uffd, uint64_t address);
int uffd_continue(struct uffd *uffd, uint64_t address);
int uffd_wake(struct uffd *uffd, uint64_t address, uint64_t pages);
int uffd_unregister(struct uffd *uffd);

const char *call_name(enum call call);

#endif
