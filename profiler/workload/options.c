// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const BACKINGS[] = {"anon", "memfd", "memfd-private", "tmpfs", "hugetlb", "file"};
static const char *const CACHES[] = {"empty", "half", "full"};
static const char *const MODES[] = {
    "none", "missing", "wp", "missing+wp", "minor", "missing+minor", "wp+minor", "missing+wp+minor",
};

const char *backing_name(enum backing backing)
{
    return BACKINGS[backing];
}

const char *cache_name(enum cache cache)
{
    return CACHES[cache];
}

const char *mode_name(unsigned mode)
{
    return MODES[mode];
}

static const char HELP[] =
    "usage: uffd-profiler workload [OPTION]...\n"
    "\n"
    "Take page faults in one region of memory, count them, and print the counts as one line of JSON:\n"
    "the ground truth that the profiler's own counts are compared with.\n"
    "\n"
    "The memory\n"
    "  --backing B        anon | memfd | memfd-private | tmpfs | hugetlb (default memfd)\n"
    "  --cold-file PATH   instead of --backing: a file on a disk, dropped from the page cache first.\n"
    "                     PATH is created and removed again; an existing file is only read\n"
    "  --cache C          full | half | empty: page cache before the touches (default full; anon and\n"
    "                     --cold-file: empty). half: every second page, page 0 is a hole\n"
    "  --pages N          pages of the region, huge pages for hugetlb (default 256)\n"
    "  --populate         touch every page by writing before the registration\n"
    "  --swap             anon: populate, then page out; needs an active swap area\n"
    "\n"
    "userfaultfd\n"
    "  --mode M           none, or missing, wp, minor joined by + (default none)\n"
    "  --marker           wp: write-protect the whole range before the touches\n"
    "  --zeropage         resolve MISSING by UFFDIO_ZEROPAGE instead of UFFDIO_COPY\n"
    "  --handlers H       threads that read messages and resolve (default 1)\n"
    "  --delay-us D       microseconds a handler waits before it resolves (default 0)\n"
    "  --gather           resolve nothing until every touching thread waits once\n"
    "  --signal N         signal the waiting thread during its wait, once per fault, N in all\n"
    "  --wake-first N     send N UFFDIO_WAKE without a fill before each resolve\n"
    "  --sigbus           UFFD_FEATURE_SIGBUS: no handler, faults end in SIGBUS, which is caught\n"
    "  --unregister-while-waiting | --close-while-waiting\n"
    "                     resolve nothing; once every thread waits, unregister or close instead\n"
    "\n"
    "The touches\n"
    "  --access A         read | write (default read)\n"
    "  --threads T        touching threads; blocks of one fault-around window in turn (default 1)\n"
    "  --same-page        all threads touch the same page at once, page by page\n"
    "  --stride N         touch every Nth page (default 1)\n"
    "  --order O          sequential | random (default sequential)\n"
    "  --seed S           of --order random (default 1)\n"
    "  --touch-once       touch only the first page\n"
    "  --kernel-access    the kernel touches: write(2) or read(2) between the page and a pipe\n"
    "  --gup[=HOW]        populate (MADV_POPULATE_*, Linux 5.14) | process-vm (process_vm_readv of\n"
    "                     the own process): faults without an exception; default: what works\n"
    "  --fork             a forked child touches; its memory is not registered\n"
    "  --noise T          T threads of a child process take unrelated faults all the time\n"
    "\n"
    "The run\n"
    "  --gate             print \"ready PID\" (PID touches), wait for a line on stdin, touch, print\n"
    "                     \"done\", wait for a line or the end of stdin, print the JSON\n"
    "  --timeout S        seconds the touches may take, 1 to 3600 (default 120)\n"
    "  --json             one line of JSON: the default\n"
    "  --summary          a sentence for people instead of the JSON\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit codes: 0 the JSON is on stdout, 1 the run broke, 2 wrong option,\n"
    "3 this kernel or machine cannot do it (one sentence on stderr says what is missing).\n";

enum {
    OPTION_BACKING = 256, OPTION_COLD_FILE, OPTION_CACHE, OPTION_PAGES, OPTION_POPULATE, OPTION_SWAP,
    OPTION_MODE, OPTION_MARKER, OPTION_ZEROPAGE, OPTION_HANDLERS, OPTION_DELAY, OPTION_GATHER,
    OPTION_SIGNAL, OPTION_WAKE, OPTION_SIGBUS, OPTION_UNREGISTER, OPTION_CLOSE, OPTION_ACCESS,
    OPTION_THREADS, OPTION_SAME_PAGE, OPTION_STRIDE, OPTION_ORDER, OPTION_SEED, OPTION_ONCE,
    OPTION_KERNEL, OPTION_GUP, OPTION_FORK, OPTION_NOISE, OPTION_GATE, OPTION_TIMEOUT, OPTION_JSON, OPTION_SUMMARY,
    OPTION_HELP,
};

static const struct option LONG_OPTIONS[] = {
    {"backing", required_argument, NULL, OPTION_BACKING},
    {"cold-file", required_argument, NULL, OPTION_COLD_FILE},
    {"cache", required_argument, NULL, OPTION_CACHE},
    {"pages", required_argument, NULL, OPTION_PAGES},
    {"populate", no_argument, NULL, OPTION_POPULATE},
    {"swap", no_argument, NULL, OPTION_SWAP},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"marker", no_argument, NULL, OPTION_MARKER},
    {"zeropage", no_argument, NULL, OPTION_ZEROPAGE},
    {"handlers", required_argument, NULL, OPTION_HANDLERS},
    {"delay-us", required_argument, NULL, OPTION_DELAY},
    {"gather", no_argument, NULL, OPTION_GATHER},
    {"signal", required_argument, NULL, OPTION_SIGNAL},
    {"wake-first", required_argument, NULL, OPTION_WAKE},
    {"sigbus", no_argument, NULL, OPTION_SIGBUS},
    {"unregister-while-waiting", no_argument, NULL, OPTION_UNREGISTER},
    {"close-while-waiting", no_argument, NULL, OPTION_CLOSE},
    {"access", required_argument, NULL, OPTION_ACCESS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"same-page", no_argument, NULL, OPTION_SAME_PAGE},
    {"stride", required_argument, NULL, OPTION_STRIDE},
    {"order", required_argument, NULL, OPTION_ORDER},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"touch-once", no_argument, NULL, OPTION_ONCE},
    {"kernel-access", no_argument, NULL, OPTION_KERNEL},
    {"gup", optional_argument, NULL, OPTION_GUP},
    {"fork", no_argument, NULL, OPTION_FORK},
    {"noise", required_argument, NULL, OPTION_NOISE},
    {"gate", no_argument, NULL, OPTION_GATE},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"summary", no_argument, NULL, OPTION_SUMMARY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end = NULL;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || value < least || value > most)
        stop(STOP_USAGE, "--%s %s: give a whole number from %llu to %llu", option, text,
             (unsigned long long)least, (unsigned long long)most);
    return value;
}

static unsigned choice(const char *option, const char *text, const char *const *names, unsigned count)
{
    char all[160] = "";

    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(text, names[i]))
            return i;
        strcat(strcat(all, i ? ", " : ""), names[i]);
    }
    stop(STOP_USAGE, "--%s %s: choose one of %s", option, text, all);
}

static unsigned parse_mode(const char *text)
{
    static const char *const PARTS[] = {"missing", "wp", "minor"};
    char copy[64];
    unsigned mode = 0;

    if (!strcmp(text, "none"))
        return 0;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *rest = copy, *part; (part = strsep(&rest, "+"));) {
        unsigned bit = 0;

        for (unsigned i = 0; i < 3; i++)
            if (!strcmp(part, PARTS[i]))
                bit = 1u << i;
        if (!bit || mode & bit)
            stop(STOP_USAGE, "--mode %s: give none, or missing, wp and minor joined by +, each once", text);
        mode |= bit;
    }
    return mode;
}

static void refuse(bool wrong, const char *sentence)
{
    if (wrong)
        stop(STOP_USAGE, "%s", sentence);
}

static void check(struct options *o, bool cache_given, bool backing_given)
{
    bool at_once = o->unregister_while_waiting || o->close_while_waiting;
    bool handled = o->delay_us || o->gather || o->signals || o->wake_first || o->zeropage;

    if (o->cold_file) {
        refuse(backing_given, "--cold-file is a backing of its own: leave --backing out");
        refuse(o->cache == CACHE_HALF && cache_given, "--cold-file takes --cache full or empty, not half");
        refuse(o->populate, "--cold-file and --populate contradict each other");
        o->backing = BACKING_FILE;
    }
    if (!cache_given)
        o->cache = o->backing == BACKING_ANON || o->cold_file ? CACHE_EMPTY : CACHE_FULL;
    refuse(o->backing == BACKING_ANON && o->cache != CACHE_EMPTY,
           "--cache: anonymous memory has no page cache; leave it out, or use --populate");
    refuse(o->swap && o->backing != BACKING_ANON, "--swap works with --backing anon only");
    refuse(o->stride > o->pages, "--stride is larger than --pages: only the first page would be touched; "
           "use --touch-once");

    refuse(!o->mode && (handled || o->sigbus || at_once || o->marker),
           "--delay-us, --gather, --signal, --wake-first, --zeropage, --sigbus, --marker and "
           "--*-while-waiting need a --mode other than none");
    refuse(o->marker && !(o->mode & MODE_WP), "--marker needs wp in --mode");
    refuse(o->zeropage && !(o->mode & MODE_MISSING), "--zeropage needs missing in --mode");
    refuse(o->sigbus && (handled || at_once), "--sigbus has no handler: leave --delay-us, --gather, "
           "--signal, --wake-first, --zeropage and --*-while-waiting out");
    refuse(o->fork && (handled || at_once || o->sigbus || o->swap),
           "--fork: the child's faults never reach a handler; leave --delay-us, --gather, --signal, "
           "--wake-first, --zeropage, --sigbus, --swap and --*-while-waiting out");
    refuse(o->unregister_while_waiting && o->close_while_waiting,
           "choose one of --unregister-while-waiting and --close-while-waiting");
    refuse(at_once && handled, "--*-while-waiting resolves nothing: leave --delay-us, --gather, --signal, "
           "--wake-first and --zeropage out");
    refuse(at_once && o->handlers != 1, "--*-while-waiting takes one handler");
    refuse(o->kernel_access && o->gup != GUP_NO, "choose one of --kernel-access and --gup");
    refuse(o->signals && (o->kernel_access || o->gup != GUP_NO),
           "--signal needs faults from user mode: a kernel-mode fault does not return for a signal");
    refuse(o->same_page && (o->signals || o->wake_first), "--same-page cannot be joined with --signal or "
           "--wake-first: which thread re-enters would be left to chance");
    refuse(o->gather && o->wake_first, "--gather and --wake-first cannot be joined");
}

struct options options_parse(int argc, char **argv)
{
    static const char *const ACCESSES[] = {"read", "write"};
    static const char *const ORDERS[] = {"sequential", "random"};
    static const char *const GUPS[] = {"populate", "process-vm"};
    struct options o = {.backing = BACKING_MEMFD, .pages = 256, .stride = 1, .seed = 1, .threads = 1,
                        .handlers = 1, .timeout_s = 120};
    bool cache_given = false, backing_given = false;
    int code, at;

    opterr = 0;
    for (at = optind; (code = getopt_long(argc, argv, "+:h", LONG_OPTIONS, NULL)) != -1; at = optind) {
        switch (code) {
        case OPTION_BACKING:
            o.backing = choice("backing", optarg, BACKINGS, BACKING_FILE);
            backing_given = true;
            break;
        case OPTION_COLD_FILE: o.cold_file = optarg; break;
        case OPTION_CACHE:
            o.cache = choice("cache", optarg, CACHES, 3);
            cache_given = true;
            break;
        case OPTION_PAGES: o.pages = number("pages", optarg, 1, 1u << 22); break;
        case OPTION_POPULATE: o.populate = true; break;
        case OPTION_SWAP: o.swap = true; break;
        case OPTION_MODE: o.mode = parse_mode(optarg); break;
        case OPTION_MARKER: o.marker = true; break;
        case OPTION_ZEROPAGE: o.zeropage = true; break;
        case OPTION_HANDLERS: o.handlers = (unsigned)number("handlers", optarg, 1, 64); break;
        case OPTION_DELAY: o.delay_us = number("delay-us", optarg, 0, 60000000); break;
        case OPTION_GATHER: o.gather = true; break;
        case OPTION_SIGNAL: o.signals = number("signal", optarg, 0, 1u << 22); break;
        case OPTION_WAKE: o.wake_first = number("wake-first", optarg, 0, 1000); break;
        case OPTION_SIGBUS: o.sigbus = true; break;
        case OPTION_UNREGISTER: o.unregister_while_waiting = true; break;
        case OPTION_CLOSE: o.close_while_waiting = true; break;
        case OPTION_ACCESS: o.write = choice("access", optarg, ACCESSES, 2); break;
        case OPTION_THREADS: o.threads = (unsigned)number("threads", optarg, 1, 256); break;
        case OPTION_SAME_PAGE: o.same_page = true; break;
        case OPTION_STRIDE: o.stride = number("stride", optarg, 1, 1u << 22); break;
        case OPTION_ORDER: o.random = choice("order", optarg, ORDERS, 2); break;
        case OPTION_SEED: o.seed = number("seed", optarg, 0, UINT64_MAX); break;
        case OPTION_ONCE: o.touch_once = true; break;
        case OPTION_KERNEL: o.kernel_access = true; break;
        case OPTION_GUP:
            o.gup = optarg ? (enum gup)(GUP_POPULATE + choice("gup", optarg, GUPS, 2)) : GUP_AUTO;
            break;
        case OPTION_FORK: o.fork = true; break;
        case OPTION_NOISE: o.noise = (unsigned)number("noise", optarg, 0, 64); break;
        case OPTION_GATE: o.gate = true; break;
        case OPTION_TIMEOUT: o.timeout_s = (unsigned)number("timeout", optarg, 1, 3600); break;
        case OPTION_JSON: o.summary = false; break;
        case OPTION_SUMMARY: o.summary = true; break;
        case 'h':
        case OPTION_HELP:
            fputs(HELP, stdout);
            exit(fflush(stdout) ? STOP_FAILED : 0);
        case ':': stop(STOP_USAGE, "%s needs a value; see --help", argv[at]);
        default: stop(STOP_USAGE, "%s is no option of the workload; see --help", argv[at]);
        }
    }
    if (optind < argc)
        stop(STOP_USAGE, "%s is no option of the workload; see --help", argv[optind]);
    check(&o, cache_given, backing_given);
    return o;
}
