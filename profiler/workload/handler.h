/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads that read the messages of the userfaultfd and resolve the faults. */
#ifndef WORKLOAD_HANDLER_H
#define WORKLOAD_HANDLER_H

#include "uffd.h"

/* Start the handler threads; none for mode none and --sigbus. */
void handlers_start(struct uffd *uffd);

/* End them; every touch must be over. */
void handlers_stop(void);

#endif
