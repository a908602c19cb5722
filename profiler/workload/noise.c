// SPDX-License-Identifier: GPL-2.0-only
#include "common.h"
#include "noise.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANON_PAGES 32u

static pid_t child;

static void *fault_forever(void *ready)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct stat status;

    if (file < 0 || fstat(file, &status))
        stop(STOP_FAILED, "--noise: /proc/self/exe: %s", strerror(errno));
    for (bool first = true;; first = false) {
        size_t length = (size_t)status.st_size;
        char *anon = mmap(NULL, ANON_PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
        char *text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);

        if (anon == MAP_FAILED || text == MAP_FAILED)
            stop(STOP_FAILED, "--noise: mmap: %s", strerror(errno));
        for (size_t i = 0; i < ANON_PAGES; i++)
            ((volatile char *)anon)[i * page] = 1;
        for (size_t at = 0; at < length; at += page)
            (void)((volatile char *)text)[at];
        munmap(anon, ANON_PAGES * page);
        munmap(text, length);
        if (first && write(*(int *)ready, "", 1) != 1)
            stop(STOP_FAILED, "--noise: write: %s", strerror(errno));
    }
    return NULL;
}

void noise_start(unsigned threads)
{
    int ready[2];
    pid_t parent = getpid();
    char byte;

    if (!threads)
        return;
    if (pipe(ready))
        stop(STOP_FAILED, "--noise: pipe: %s", strerror(errno));
    child = fork();
    if (child < 0)
        stop(STOP_FAILED, "--noise: fork: %s", strerror(errno));
    if (child == 0) {
        pthread_t id;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        close(ready[0]);
        /* A harness waits for the end of the workload's output: this child must not hold it open. */
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        for (unsigned i = 1; i < threads; i++)
            if (pthread_create(&id, NULL, fault_forever, &ready[1]))
                stop(STOP_FAILED, "--noise: cannot start thread %u", i);
        fault_forever(&ready[1]);
    }
    close(ready[1]);
    for (unsigned i = 0; i < threads; i++)
        if (read(ready[0], &byte, 1) != 1)
            stop(STOP_FAILED, "--noise: the child died");
    close(ready[0]);
}

uint64_t noise_stop(void)
{
    struct rusage usage;

    if (!child)
        return 0;
    kill(child, SIGKILL);
    if (wait4(child, NULL, 0, &usage) != child)
        stop(STOP_FAILED, "--noise: wait: %s", strerror(errno));
    return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}
