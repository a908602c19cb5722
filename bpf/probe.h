/* SPDX-License-Identifier: GPL-2.0-only */
/* One body, any way to reach it.
 *
 * PROBE<n>(hook, symbol, body) defines the program that calls body(arg 0 … n-1) when the kernel
 * function `symbol` is entered, RETURN(hook, symbol, body) the one that calls body(return value).
 * The planner (profiler/hooks/planner.py) chose the way and passed it as -DWAY_<hook>=fentry, kprobe,
 * tracepoint or none; the attacher knows the programs by the names made here.
 *
 * A fentry context is an array of 64-bit arguments, and at fexit the return value follows them
 * (kernel/bpf/trampoline.c); their number comes from BTF as NARGS_<symbol>.
 */
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#define PROBE1(hook, symbol, body) CAT(PROBE1_, WAY_##hook)(symbol, body)
#define PROBE2(hook, symbol, body) CAT(PROBE2_, WAY_##hook)(symbol, body)
#define PROBE4(hook, symbol, body) CAT(PROBE4_, WAY_##hook)(symbol, body)
#define RETURN(hook, symbol, body) CAT(RETURN_, WAY_##hook)(symbol, body)

#define PROBE1_fentry(symbol, body) \
    int kfunc__##symbol(u64 *ctx) { body(ctx[0]); return 0; }
#define PROBE2_fentry(symbol, body) \
    int kfunc__##symbol(u64 *ctx) { body(ctx[0], ctx[1]); return 0; }
#define PROBE4_fentry(symbol, body) \
    int kfunc__##symbol(u64 *ctx) { body(ctx[0], ctx[1], ctx[2], ctx[3]); return 0; }
#define RETURN_fentry(symbol, body) \
    int kretfunc__##symbol(u64 *ctx) { body(ctx[NARGS_##symbol]); return 0; }

#define PROBE1_kprobe(symbol, body) \
    int entry_##symbol(struct pt_regs *ctx) { body(ctx->di); return 0; }
#define PROBE2_kprobe(symbol, body) \
    int entry_##symbol(struct pt_regs *ctx) { body(ctx->di, ctx->si); return 0; }
#define PROBE4_kprobe(symbol, body) \
    int entry_##symbol(struct pt_regs *ctx) { body(ctx->di, ctx->si, ctx->dx, ctx->cx); return 0; }
#define RETURN_kprobe(symbol, body) \
    int return_##symbol(struct pt_regs *ctx) { body(ctx->ax); return 0; }

#define PROBE1_tracepoint(symbol, body)
#define PROBE2_tracepoint(symbol, body)
#define PROBE4_tracepoint(symbol, body)
#define RETURN_tracepoint(symbol, body)
#define PROBE1_none(symbol, body)
#define PROBE2_none(symbol, body)
#define PROBE4_none(symbol, body)
#define RETURN_none(symbol, body)

/* For code that differs by way: #if WAY_IS(map_pages, tracepoint) */
#define WAY_VALUE_none 0
#define WAY_VALUE_fentry 1
#define WAY_VALUE_kprobe 2
#define WAY_VALUE_tracepoint 3
#define WAY_IS(hook, way) (CAT(WAY_VALUE_, WAY_##hook) == WAY_VALUE_##way)

#define INLINE static inline __attribute__((always_inline))
