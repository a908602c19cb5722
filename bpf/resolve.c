/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls that resolve userfaults.
 *
 * One unit is one call, however many pages it is for, and whether or not anybody waits for them. By function
 * its time is that of userfaultfd_ioctl(), by tracepoint that of the system call. A call from 32-bit code is
 * counted like any other: userfaultfd has the same structures for both (compat_ptr_ioctl in its
 * file_operations); only the x32 ABI is not seen by tracepoint.
 *
 * EAGAIN: a part was done, the rest is to be asked for again (the call's structure says how much), or nothing
 * could be done while the address space is changing. EEXIST: the first page is there already; a later one
 * that is makes it EAGAIN. A kernel that does not know the ioctl yet says EINVAL: an error.
 */
#if !WAY_IS(resolve, none)
INLINE u32 resolve_op(u32 command)
{
    switch (command) {
    case UFFDIO_COPY: return OP_COPY;
    case UFFDIO_ZEROPAGE: return OP_ZEROPAGE;
    case UFFDIO_WAKE: return OP_WAKE;
    case UFFDIO_WRITEPROTECT: return OP_WRITEPROTECT;
    case UFFDIO_CONTINUE: return OP_CONTINUE;
    case UFFDIO_POISON: return OP_POISON;
    case UFFDIO_MOVE: return OP_MOVE;
    default: return RESOLVE_OPS;
    }
}

/* A thread that begins another call, or ends, while one is open: the return probe had no instance left for
 * that one (kernel/kprobes.c: maxactive), which slept, as one does that waits for mmap_lock or whose source
 * page is itself a userfault.
 */
INLINE void resolve_left(struct thread *thread)
{
    if (!thread->resolve_enter)
        return;
    thread->resolve_enter = 0;
    missed(MISSED_IOCTL_RETURN_LOST);
}

INLINE void resolve_entered(u32 command)
{
    u32 op = resolve_op(command);
    if (op == RESOLVE_OPS || !counted())
        return;
    struct thread *thread = thread_open();
    if (!thread)
        return;
    resolve_left(thread);
    thread->resolve_op = op;
    thread->resolve_enter = bpf_ktime_get_ns();
}

INLINE u32 resolve_result(s32 result)
{
    return result >= 0 ? RESOLVED_OK : result == -EAGAIN ? RESOLVED_EAGAIN
        : result == -EEXIST ? RESOLVED_EEXIST : RESOLVED_ERROR;
}

INLINE void resolve_returned(struct thread *thread, s32 result)
{
    u64 ns = bpf_ktime_get_ns() - thread->resolve_enter;
    thread->resolve_enter = 0;
    slot_time(SLOT_RESOLVE + thread->resolve_op * RESOLVE_RESULTS + resolve_result(result), ns, 0);
}
#else
INLINE void resolve_left(struct thread *thread)
{
}
#endif

#if WAY_IS(resolve, fentry) || WAY_IS(resolve, kprobe)
INLINE void userfaultfd_ioctl_entered(u64 file, u64 command)
{
    resolve_entered(command);
}
PROBE2(resolve, userfaultfd_ioctl, userfaultfd_ioctl_entered)

INLINE void userfaultfd_ioctl_returned(u64 result)
{
    struct thread *thread = thread_current();
    if (thread && thread->resolve_enter)
        resolve_returned(thread, result);
}
RETURN(resolve, userfaultfd_ioctl, userfaultfd_ioctl_returned)
#endif

#if WAY_IS(resolve, tracepoint)
/* A number below 64 means one system call in 64-bit code and another one in 32-bit code. */
INLINE bool is_compat(void)
{
    u64 info = bpf_get_current_task() + OFF_task_struct__thread_info;
    return FIELD32(info, thread_info__status) & TS_COMPAT;
}

/* sys_enter(regs, number); the second argument is the command, where either ABI has it. */
int raw_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
    u64 number = ctx->args[1];
    if (number != SYS_IOCTL && number != SYS_IOCTL_32)
        return 0;
    bool compat = is_compat();
    if (compat != (number == SYS_IOCTL_32))
        return 0;
    u64 at = compat ? __builtin_offsetof(struct pt_regs, cx) : __builtin_offsetof(struct pt_regs, si);
    resolve_entered(read_u64(ctx->args[0] + at));
    return 0;
}

/* sys_exit(regs, result). The number may belong to something that is no userfaultfd: such a file answers
 * ENOTTY, and one that is not open EBADF; userfaultfd itself says neither.
 */
int raw_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u64 number = read_u64(ctx->args[0] + __builtin_offsetof(struct pt_regs, orig_ax));
    if (number != SYS_IOCTL && number != SYS_IOCTL_32)
        return 0;
    struct thread *thread = thread_current();
    if (!thread || !thread->resolve_enter)
        return 0;
    s32 result = ctx->args[1];
    if (result == -ENOTTY || result == -EBADF)
        thread->resolve_enter = 0;
    else
        resolve_returned(thread, result);
    return 0;
}
#endif
