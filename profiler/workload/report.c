// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

static bool first = true;

static void key(const char *name)
{
    printf(first ? "\"%s\":" : ",\"%s\":", name);
    first = false;
}

static void begin(const char *name, char bracket)
{
    if (name)
        key(name);
    putchar(bracket);
    first = true;
}

static void end(char bracket)
{
    putchar(bracket);
    first = false;
}

static void number(const char *name, uint64_t value)
{
    key(name);
    if (value == UNKNOWN)
        printf("null");
    else
        printf("%" PRIu64, value);
}

static void truth(const char *name, bool value)
{
    key(name);
    printf(value ? "true" : "false");
}

/* Names and one path; the path may hold anything. */
static void text(const char *name, const char *value)
{
    key(name);
    if (!value) {
        printf("null");
        return;
    }
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

static const char *error_name(int error)
{
    static char other[16];

    switch (error) {
    case 0: return "ok";
    case EEXIST: return "EEXIST";
    case EAGAIN: return "EAGAIN";
    case EINVAL: return "EINVAL";
    case ENOENT: return "ENOENT";
    case ENOMEM: return "ENOMEM";
    case ENOSPC: return "ENOSPC";
    case EFAULT: return "EFAULT";
    case EBUSY: return "EBUSY";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    default: snprintf(other, sizeof(other), "E%d", error); return other;
    }
}

static void print_options(const struct options *o)
{
    static const char *const GUPS[] = {NULL, "auto", "populate", "process-vm"};

    begin("options", '{');
    text("backing", backing_name(o->backing));
    text("mode", mode_name(o->mode));
    text("cache", cache_name(o->cache));
    text("access", o->write ? "write" : "read");
    text("order", o->random ? "random" : "sequential");
    text("cold_file", o->cold_file);
    text("gup", GUPS[o->gup]);
    number("pages", o->pages);
    number("stride", o->stride);
    key("seed");
    printf("%" PRIu64, o->seed);
    number("threads", o->threads);
    number("handlers", o->handlers);
    number("noise", o->noise);
    number("delay_us", o->delay_us);
    number("signal", o->signals);
    number("wake_first", o->wake_first);
    number("timeout", o->timeout_s);
    truth("same_page", o->same_page);
    truth("touch_once", o->touch_once);
    truth("marker", o->marker);
    truth("populate", o->populate);
    truth("zeropage", o->zeropage);
    truth("sigbus", o->sigbus);
    truth("gather", o->gather);
    truth("kernel_access", o->kernel_access);
    truth("fork", o->fork);
    truth("unregister_while_waiting", o->unregister_while_waiting);
    truth("close_while_waiting", o->close_while_waiting);
    truth("swap", o->swap);
    truth("gate", o->gate);
    end('}');
}

static struct thread_count add_up(const struct touch_count *count, unsigned threads)
{
    struct thread_count sum = {0};

    for (unsigned i = 0; i < threads; i++) {
        /* Nothing but uint64_t in it. */
        const uint64_t *from = (const uint64_t *)&count->threads[i];
        uint64_t *to = (uint64_t *)&sum;

        for (size_t k = 0; k < sizeof(sum) / sizeof(*to); k++)
            to[k] += from[k];
    }
    return sum;
}

static void print_ioctls(const struct tally *tally)
{
    begin("ioctls", '{');
    for (enum call call = 0; call < CALLS; call++) {
        begin(call_name(call), '{');
        for (int error = 0; error < CALL_ERRNOS; error++)
            if (error == 0 || tally->ioctls[call][error])
                number(error_name(error), tally->ioctls[call][error]);
        end('}');
    }
    end('}');
}

/* Which kernel it is, the touches have shown: one that raises MINOR sent a message for it, or refused. Where nobody
 * reads messages, the threads were seen to wait. */
static enum kernel_kind kernel_kind(const struct options *o, const struct thread_count *sum,
                                    const struct tally *tally)
{
    const struct expectation *raises = &sum->told[KERNEL_RAISES_MINOR];
    const struct expectation *bypasses = &sum->told[KERNEL_BYPASSES_MINOR];
    bool differ = raises->minor != bypasses->minor || raises->refused != bypasses->refused;
    bool raised = tally->minor || sum->sigbus || sum->efault || o->unregister_while_waiting
        || o->close_while_waiting;

    return differ && !raised ? KERNEL_BYPASSES_MINOR : KERNEL_RAISES_MINOR;
}

static void print_threads(const struct touch_count *count, unsigned threads, enum kernel_kind kind)
{
    begin("threads", '[');
    for (unsigned i = 0; i < threads; i++) {
        const struct thread_count *one = &count->threads[i];

        if (i)
            putchar(',');
        begin(NULL, '{');
        number("touches", one->touches);
        number("expected_faults", one->told[kind].faults);
        number("faults_minor", one->faults_minor);
        number("faults_major", one->faults_major);
        end('}');
    }
    end(']');
}

static void print_summary(const struct options *o, const struct thread_count *sum, const struct tally *tally)
{
    const struct expectation *expected = &sum->told[kernel_kind(o, sum, tally)];

    printf("workload: %" PRIu64 " %s touches of %s memory registered for %s: by its own count %" PRIu64
           " faults, %" PRIu64 " of them userfaults; %" PRIu64 " messages read\n",
           sum->touches, o->write ? "write" : "read", backing_name(o->backing), mode_name(o->mode),
           expected->faults, expected->missing + expected->wp + expected->minor, tally->missing + tally->wp + tally->minor);
}

void report(const struct options *o, const struct region *region, const struct uffd *uffd,
            const struct touch_count *count, const struct facts *facts)
{
    struct thread_count sum = add_up(count, o->threads);
    const struct tally *tally = &uffd->tally;
    enum kernel_kind kind = kernel_kind(o, &sum, tally);
    const struct expectation *expected = &sum.told[kind];
    /* A refused user-mode touch is an exception that completes nothing; a signal makes one start again. */
    uint64_t exceptions = o->gup != GUP_NO ? 0 : expected->faults + expected->refused + count->signals;
    struct utsname kernel;

    if (o->summary) {
        print_summary(o, &sum, tally);
        return;
    }
    uname(&kernel);
    begin(NULL, '{');
    number("version", 2);
    print_options(o);
    text("kernel", kernel.release);
    number("pid", (uint64_t)facts->pid);
    number("touch_pid", (uint64_t)facts->touch_pid);
    number("page_size", region->page_size);
    number("fault_around_bytes", memory_fault_around_bytes() ? memory_fault_around_bytes() : UNKNOWN);
    truth("user_mode_only", uffd->user_mode_only);
    key("features");
    printf("%" PRIu64, uffd->features);
    text("gup_method", o->gup == GUP_NO ? NULL : count->gup_process_vm ? "process-vm" : "populate");

    number("touches", sum.touches);
    number("expected_faults", expected->faults);
    number("expected_faults_min", expected->faults_min);
    truth("expected_exact", !expected->inexact && expected->faults == expected->faults_min);
    number("expected_exceptions", exceptions);
    begin("expected_userfaults", '{');
    number("missing", expected->missing);
    number("wp", expected->wp);
    number("minor", expected->minor);
    end('}');
    number("expected_refused", expected->refused);
    truth("minor_bypassed", kind == KERNEL_BYPASSES_MINOR);
    number("faults_minor", sum.faults_minor);
    number("faults_major", sum.faults_major);
    number("fault_windows", sum.fault_windows);
    begin("messages", '{');
    number("missing", tally->missing);
    number("wp", tally->wp);
    number("minor", tally->minor);
    number("other", tally->other);
    end('}');
    print_ioctls(tally);
    number("sigbus", sum.sigbus);
    number("efault", sum.efault);
    number("signals", count->signals);
    number("rewaits", tally->rewaits);
    number("max_waiting", tally->max_waiting);
    number("present_before", count->present_before);
    number("present_after_first_touch", count->present_after_first);
    number("present_after", count->present_after);
    number("cached_before", facts->cached_before);
    number("cached_after", facts->cached_after);
    number("swapped_before", facts->swapped_before);
    number("setup_faults", facts->setup_faults);
    number("noise_faults", facts->noise_faults);
    number("touch_ns_total", sum.touch_ns);
    print_threads(count, o->threads, kind);
    end('}');
    putchar('\n');
    if (fflush(stdout))
        stop(STOP_FAILED, "cannot write the JSON to stdout");
}
