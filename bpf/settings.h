/* SPDX-License-Identifier: GPL-2.0-only */
/* What is only known after attaching, so it cannot be a compile-time constant. One entry, written by
 * the attaching child (profiler/hooks/calibrate.py), read here.
 *
 * VM_UFFD_MINOR has had the bits 37, 38 and 41: the child reads from a region registered for MINOR and from
 * one that is not, and the programs note the flags of the VMA that it asks for.
 */
struct settings {
    u64 minor_flag; /* 0: this kernel has no MINOR mode, or its bit is not known */
    u64 thread;     /* id of the thread that calibrates; 0: none */
    u64 start;      /* vm_start of the VMA asked for */
    u64 flags;      /* its vm_flags, once that thread has faulted in it */
};
BPF_F_TABLE("array", u32, struct settings, settings, 1, BPF_F_MMAPABLE);

INLINE struct settings *settings_get(void)
{
    u32 zero = 0;
    return settings.lookup(&zero);
}
