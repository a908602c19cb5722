/* SPDX-License-Identifier: GPL-2.0-only */
/* What is only known after attaching, so it cannot be a compile-time constant. One entry, written by
 * the attaching child (profiler/hooks/calibrate.py), read here.
 *
 * VM_UFFD_MINOR has had the bits 37, 38 and 41: the child registers a MINOR region, reads from it, and
 * the programs note the flags of the VMAs in which the thread `calibrating` faults.
 */
struct settings {
    u64 minor_flag;      /* 0: this kernel has no MINOR mode, or its bit is not known */
    u64 calibrating;     /* thread id, 0 when done */
    u64 plain_flags;     /* vm_flags seen in an unregistered VMA of that thread */
    u64 armed_flags;     /* and in its registered one */
};
BPF_F_TABLE("array", u32, struct settings, settings, 1, BPF_F_MMAPABLE);

INLINE struct settings *settings_get(void)
{
    u32 zero = 0;
    return settings.lookup(&zero);
}
