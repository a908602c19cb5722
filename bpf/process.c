/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose faults are counted: twin of profiler/hooks/processes.py.
 *
 * System-wide, or (FILTERED) the processes in the map; a fork of a followed process is added before the
 * child first runs (sched_process_fork fires ahead of wake_up_new_task in kernel/fork.c).
 */
#if FILTERED
BPF_HASH(processes, u32, u32, PROCESSES);

INLINE bool counted(void)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u32 *how = processes.lookup(&tgid);
    return how && (*how & PROCESS_COUNTED);
}

int raw_sched_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
    u32 parent = FIELD32(ctx->args[0], task_struct__tgid);
    u32 child = FIELD32(ctx->args[1], task_struct__tgid);
    if (child == parent)
        return 0;
    u32 *how = processes.lookup(&parent);
    if (!how || !(*how & PROCESS_FOLLOWED))
        return 0;
    u32 inherited = PROCESS_COUNTED | PROCESS_FOLLOWED;
    if (processes.update(&child, &inherited) < 0)
        missed(MISSED_PROCESSES_FULL);
    return 0;
}

/* The last thread of a process leaves: signal->live is 0 by the time of sched_process_exit
 * (kernel/exit.c: do_exit).
 */
INLINE void process_exited(u64 task)
{
    u64 signal = FIELD64(task, task_struct__signal);
    if (FIELD32(signal, signal_struct__live))
        return;
    u32 tgid = FIELD32(task, task_struct__tgid);
    processes.delete(&tgid);
}
#else
INLINE bool counted(void)
{
    return true;
}

INLINE void process_exited(u64 task)
{
}
#endif
