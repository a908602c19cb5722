/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of the fault that a thread is in. Keyed by thread id; kept from fault to fault, so that
 * a fault costs look-ups only, and deleted when the thread ends.
 */
enum {
    FACT_WRITE = 1 << 0,     /* the exception was a write */
    FACT_PROT = 1 << 1,      /* the page was present: a protection fault */
    FACT_REGION = 1 << 2,    /* mode and backing are known */
    FACT_READ = 1 << 3,      /* went through do_read_fault: ->map_pages or __do_fault without WRITE */
    FACT_RAN = 1 << 4,       /* ->map_pages was called */
    FACT_ENTERED = 1 << 5,   /* do_fault_around was entered */
    FACT_IN_RUN = 1 << 6,    /* inside ->map_pages now */
    FACT_NO_METHOD = 1 << 7, /* vm_ops->map_pages is NULL */
    FACT_RSS = 1 << 8,       /* this thread changed the file or shmem rss */
    FACT_MAJOR = 1 << 9,     /* completed as a major fault */
    FACT_USERFAULT = 1 << 10,/* entered handle_userfault */
    FACT_SWAP = 1 << 11,     /* reached do_swap_page */
    FACT_AGAIN = 1 << 12,    /* a later pass of a GUP fault that is counted already */
    FACT_RAN_FIRST = 1 << 13,/* by tracepoint: ->map_pages was called before the first wait */
    FACT_SHMEM_SWAPIN = 1 << 14, /* brings back a swapped-out page of shared memory */
};

struct thread {
    u64 begin;           /* ns; 0: no fault is open */
    u64 address;
    u64 waited;          /* ns of this fault inside handle_userfault */
    u32 facts;
    u32 run_pages;       /* ptes set by the ->map_pages that is running */
    u32 runs;            /* by tracepoint: ->map_pages calls of this fault */
    u8 origin;
    u8 mode;             /* of the region, at the first pass */
    u8 run_mode;         /* and when ->map_pages was called last */
    u8 backing;
    u8 swap_kind;
    u8 swap_uffd_wp;
    u8 resolve_op;
    u64 gup_page;        /* page of the last GUP pass that returned RETRY */
    u64 swap_enter;      /* ns; 0: not inside do_swap_page */
    u64 swap_waited;     /* `waited` at that moment */
    u64 swap_ns;
    u32 swap_seen;       /* results of all passes, joined */
    u32 swap_last;       /* of the last pass */
    u32 swap_pages;      /* read from the device */
    u32 shmem_pages;
    u64 shmem_enter;     /* ns; 0: not inside shmem_swapin_folio */
    u64 shmem_ns;
    u8 shmem_failed;
    u8 shmem_lost;       /* the return of a call was */
    u64 resolve_enter;   /* ns; 0: not inside an ioctl that resolves */

    u64 userfault_enter; /* ns; 0: not inside handle_userfault */
    u64 userfault_page;
    u64 userfault_wait;  /* ns over all waits of the open userfault */
    u32 userfault_index; /* row in the table of waiting threads, plus 1; 0: none */
    u8 userfault_open;   /* a userfault has begun and is not resolved */
    u8 userfault_asleep;
    u8 userfault_by_gup;
    u8 reason;
    u8 userfault_backing;

    /* by tracepoint: waits whose thread was woken before it slept; the waker notes, the thread accounts */
    u64 awake_flags;     /* of the message of the last one */
    u64 awake_page;
    u32 awake_waits;     /* their number; those that a signal ended, in the fault that is open, times AWAKE_SIGNAL */
};
#define AWAKE_SIGNAL 0x10000
BPF_HASH(threads, u32, struct thread, THREADS);

INLINE struct thread *thread_current(void)
{
    u32 tid = bpf_get_current_pid_tgid();
    return threads.lookup(&tid);
}

INLINE struct thread *thread_open(void)
{
    u32 tid = bpf_get_current_pid_tgid();
    struct thread *thread = threads.lookup(&tid);
    if (thread)
        return thread;
    struct thread fresh = {};
    threads.update(&tid, &fresh);
    thread = threads.lookup(&tid);
    if (!thread)
        missed(MISSED_THREADS_FULL);
    return thread;
}
