/* SPDX-License-Identifier: GPL-2.0-only */
/* Mode and backing of a VMA. Read while its lock is held: at fexit the VMA may be gone. */
INLINE u64 region_flags(u64 vma)
{
    u64 flags = FIELD64(vma, vm_area_struct__vm_flags);
    struct settings *known = settings_get();
    if (known && known->thread && known->thread == (u32)bpf_get_current_pid_tgid()
        && FIELD64(vma, vm_area_struct__vm_start) == known->start)
        known->flags = flags;
    return flags;
}

INLINE u8 region_mode(u64 flags)
{
    struct settings *known = settings_get();
    u8 mode = 0;
    if (flags & VM_UFFD_MISSING)
        mode |= MODE_MISSING;
    if (flags & VM_UFFD_WP)
        mode |= MODE_WP;
    if (known && (flags & known->minor_flag))
        mode |= MODE_MINOR;
    return mode;
}

/* vma_is_anonymous() is vm_ops == NULL (include/linux/mm.h). Shared anonymous memory, memfd and tmpfs
 * files all have an inode on a tmpfs super block (mm/shmem.c).
 */
INLINE u8 region_backing(u64 vma, u64 flags)
{
    if (flags & VM_HUGETLB)
        return BACKING_HUGETLB;
    if (!FIELD64(vma, vm_area_struct__vm_ops))
        return BACKING_ANON;
    u64 file = FIELD64(vma, vm_area_struct__vm_file);
    u64 inode = FIELD64(file, file__f_inode);
    u64 super = FIELD64(inode, inode__i_sb);
    return file && FIELD64(super, super_block__s_magic) == TMPFS_MAGIC ? BACKING_SHMEM : BACKING_FILE;
}

INLINE bool region_can_fault_around(u64 vma)
{
    u64 ops = FIELD64(vma, vm_area_struct__vm_ops);
    return ops && FIELD64(ops, vm_operations_struct__map_pages);
}

/* The mode of a fault is that of its first pass: userspace may unregister the region while the fault waits.
 * Returns whether the region still has it.
 */
INLINE bool region_note(struct thread *thread, u64 vma)
{
    u64 flags = region_flags(vma);
    u8 mode = region_mode(flags);
    if (!(thread->facts & FACT_REGION)) {
        thread->mode = mode;
        thread->backing = region_backing(vma, flags);
        thread->facts |= FACT_REGION;
    }
    return mode == thread->mode;
}
