/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMA of an address, where no hook hands one over: a walk down the tree in which the mm keeps its VMAs.
 * The result is checked against the VMA's own bounds and mm, so a walk that went astray, since another
 * thread of the process changed the tree meanwhile, finds nothing, never something else.
 */
INLINE bool vma_holds(u64 vma, u64 mm, u64 address)
{
    return FIELD64(vma, vm_area_struct__vm_start) <= address && address < FIELD64(vma, vm_area_struct__vm_end)
        && FIELD64(vma, vm_area_struct__vm_mm) == mm;
}

#ifdef MAPLE_LEAF_64
/* A maple tree, as mtree_range_walk() in lib/maple_tree.c walks it, under the RCU protection that every BPF
 * program has.
 *
 * A node is 256-byte aligned; the low byte of a pointer to it holds its type (MAPLE_NODE_MASK,
 * mte_node_type). parent comes first, then the pivots; a pivot of 0 ends them. Another thread of the
 * process may replace nodes meanwhile (one that was has itself as its parent: ma_dead_node) or move the
 * bounds of VMAs: then the walk starts again.
 */
#define MAPLE_WORDS 16 /* parent and 15 pivots, half of a node */
#define MAPLE_STEPS 10 /* 7 levels hold more VMAs than any process may have, 3 are usual: room to start again */

INLINE u64 find_vma(u64 mm, u64 address)
{
    u64 entry = 0;
#pragma nounroll
    for (int step = 0; step < MAPLE_STEPS; step++) {
        if (!entry) {
            entry = read_u64(mm + OFF_mm_struct__mm_mt + OFF_maple_tree__ma_root);
            if ((entry & 3) != 2 || entry <= 4096) /* xa_is_node() in include/linux/xarray.h */
                return 0;
        }
        u64 words[MAPLE_WORDS];
        u64 node = entry & ~0xffULL;
        u32 type = (entry >> 3) & 0xf;
        if (bpf_probe_read_kernel(words, sizeof(words), (void *)node))
            return 0;
        u64 slots_at = type == MAPLE_ARANGE_64 ? OFF_maple_arange_64__slot : OFF_maple_range_64__slot;
        u32 pivots = type == MAPLE_ARANGE_64 ? MAPLE_ARANGE_64_PIVOTS : MAPLE_RANGE_64_PIVOTS;
        u32 slot = 0;
        u32 open = 1; /* no branches: the verifier follows one path, not one for each pivot */
#pragma nounroll
        for (u32 i = 1; i < MAPLE_WORDS; i++) {
            open &= (i <= pivots) & (words[i] != 0) & (words[i] < address);
            slot += open;
        }
        entry = read_u64(node + slots_at + slot * 8);
        bool dead = (read_u64(node) & ~0xffULL) == node;
        if (dead || type == MAPLE_LEAF_64) {
            if (!dead && vma_holds(entry, mm, address))
                return entry;
            entry = 0;
        }
    }
    return 0;
}
#elif defined(OFF_mm_struct__mm_rb)
/* A red-black tree by address, as find_vma() in mm/mmap.c walks it. It is not made for readers without a lock:
 * a rotation may lead the walk to a dead end, and then it starts again.
 */
#define RB_STEPS 80 /* a tree of the 65 530 VMAs that a process may have is at most 32 deep */

INLINE u64 find_vma(u64 mm, u64 address)
{
    u64 node = 0;
#pragma nounroll
    for (int step = 0; step < RB_STEPS; step++) {
        if (!node)
            node = read_u64(mm + OFF_mm_struct__mm_rb + OFF_rb_root__rb_node);
        u64 vma = node - OFF_vm_area_struct__vm_rb;
        if (!node || vma_holds(vma, mm, address))
            return node ? vma : 0;
        bool right = FIELD64(vma, vm_area_struct__vm_end) <= address;
        node = read_u64(node + (right ? OFF_rb_node__rb_right : OFF_rb_node__rb_left));
    }
    return 0;
}
#endif
