/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the kernel's memory.
 *
 * OFF_<struct>__<member> come from the running kernel's BTF (profiler/kernel/layout.py), so there is no
 * header to be wrong. A read that fails gives 0.
 */
INLINE u64 read_u64(u64 address)
{
    u64 value = 0;
    bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
    return value;
}

INLINE u32 read_u32(u64 address)
{
    u32 value = 0;
    bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
    return value;
}

INLINE u8 read_u8(u64 address)
{
    u8 value = 0;
    bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
    return value;
}

#define FIELD64(pointer, field) read_u64((pointer) + OFF_##field)
#define FIELD32(pointer, field) read_u32((pointer) + OFF_##field)

/* include/linux/mm_types.h: enum fault_flag. Values have not moved since v5.10. */
#define FAULT_FLAG_WRITE 0x01
#define FAULT_FLAG_ALLOW_RETRY 0x04
#define FAULT_FLAG_RETRY_NOWAIT 0x08
#define FAULT_FLAG_TRIED 0x20
#define FAULT_FLAG_USER 0x40

/* include/linux/mm_types.h: enum vm_fault_reason; ERROR is VM_FAULT_ERROR. */
#define VM_FAULT_SIGBUS 0x0002
#define VM_FAULT_MAJOR 0x0004
#define VM_FAULT_RETRY 0x0400
#define VM_FAULT_POISON 0x0030 /* HWPOISON and HWPOISON_LARGE */
#define VM_FAULT_ERROR 0x0873

/* include/linux/mm.h: the bits that have not moved. VM_UFFD_MINOR has, see struct settings. */
#define VM_UFFD_MISSING 0x00000200ULL
#define VM_UFFD_WP 0x00001000ULL
#define VM_HUGETLB 0x00400000ULL

/* include/uapi/linux/magic.h */
#define TMPFS_MAGIC 0x01021994

/* arch/x86/include/asm/trap_pf.h: bits of the page-fault error code. */
#define X86_PF_PROT 0x1
#define X86_PF_WRITE 0x2

#define PAGE_MASK (~0xfffULL)
