/* SPDX-License-Identifier: GPL-2.0-only */
/* BCC passes this file with -include. The one option its own headers ask for. */
#ifndef UFFD_KCONFIG_H
#define UFFD_KCONFIG_H
#define CONFIG_BPF_SYSCALL 1
#endif
