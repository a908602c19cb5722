/* SPDX-License-Identifier: GPL-2.0-only */
/* Integer types, and the register frame that a kprobe hands over.
 *
 * No layout of a kernel structure stands here but pt_regs, which is ABI
 * (arch/x86/include/uapi/asm/ptrace.h); all others come from the running
 * kernel's BTF, as constants (profiler/kernel/layout.py).
 */
#ifndef UFFD_TYPES_H
#define UFFD_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u64 __be64;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
typedef _Bool bool;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
typedef int pid_t;

#define __user
#define __kernel
#define NULL ((void *)0)
#define true 1
#define false 0

struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#endif
