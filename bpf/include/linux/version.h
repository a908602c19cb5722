/* SPDX-License-Identifier: GPL-2.0-only */
/* BCC writes LINUX_VERSION_CODE into the object; tracing programs have not needed it since
 * Linux kernel commit 6c4fc209fcf9 ("bpf: remove useless version check for prog load") (in v5.0).
 */
#ifndef UFFD_VERSION_H
#define UFFD_VERSION_H
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
#endif
