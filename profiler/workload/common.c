// SPDX-License-Identifier: GPL-2.0-only
#include "common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Noreturn void stop(int code, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "uffd-profiler workload: %s\n", text);
    _exit(code);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_us(uint64_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000u), .tv_nsec = (long)(us % 1000000u) * 1000};

    while (us && nanosleep(&left, &left))
        ;
}

void *allocate(size_t count, size_t size)
{
    size_t bytes = count * size;
    void *memory = malloc(bytes);

    if (!memory)
        stop(STOP_FAILED, "out of memory: %zu bytes; use fewer --pages", bytes);
    /* Not calloc: pages that calloc never wrote would fault inside the measured loop. */
    memset(memory, 1, bytes);
    memset(memory, 0, bytes);
    return memory;
}
