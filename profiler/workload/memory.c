// SPDX-License-Identifier: GPL-2.0-only
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define FAULT_AROUND_FILE "/sys/kernel/debug/fault_around_bytes"
#define DEFAULT_FAULT_AROUND 65536u
#define TMPFS_MAGIC_NUMBER 0x01021994
#define SCAN_ENTRIES 2048u

uint64_t memory_fault_around_bytes(void)
{
    char text[32] = "";
    int fd = open(FAULT_AROUND_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    return length > 0 ? strtoull(text, NULL, 10) : 0;
}

static int open_tmpfs(void)
{
    char path[] = "/dev/shm/uffd-profiler-workload-XXXXXX";
    struct statfs fs;
    int fd;

    if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC_NUMBER)
        stop(STOP_UNAVAILABLE, "backing tmpfs: /dev/shm is no tmpfs here; mount -t tmpfs tmpfs /dev/shm");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        stop(STOP_UNAVAILABLE, "backing tmpfs: no file can be made in /dev/shm: %s", strerror(errno));
    unlink(path);
    return fd;
}

/* Returns true if the file is ours (made here, unlinked at once), false if it existed. */
static bool open_file(const char *path, struct region *region)
{
    struct stat status;
    struct statfs fs;
    bool made = true;

    region->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (region->fd < 0 && errno == EEXIST) {
        made = false;
        region->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (region->fd < 0)
        stop(STOP_USAGE, "--cold-file %s: %s; give a path that can be created or read", path,
             strerror(errno));
    if (made)
        unlink(path);
    if (fstat(region->fd, &status) || !S_ISREG(status.st_mode))
        stop(STOP_USAGE, "--cold-file %s: not a regular file", path);
    if (!made && (uint64_t)status.st_size < region->pages * region->page_size)
        stop(STOP_USAGE, "--cold-file %s: %lld bytes are fewer than --pages %llu", path,
             (long long)status.st_size, (unsigned long long)region->pages);
    if (!fstatfs(region->fd, &fs) && fs.f_type == TMPFS_MAGIC_NUMBER)
        stop(STOP_UNAVAILABLE, "--cold-file %s: a tmpfs cannot be cold; give a path on a disk", path);
    return made;
}

static _Noreturn void no_huge_pages(const struct region *region)
{
    stop(STOP_UNAVAILABLE, "backing hugetlb: %llu free huge pages of %zu kB are needed; "
         "as root: sysctl vm.nr_hugepages=%llu", (unsigned long long)region->pages,
         region->page_size / 1024, (unsigned long long)region->pages);
}

static int open_hugetlb(struct region *region)
{
    struct stat status;
    int fd = memfd_create("uffd-profiler-workload", MFD_CLOEXEC | MFD_HUGETLB);

    if (fd < 0 || fstat(fd, &status))
        stop(STOP_UNAVAILABLE, "backing hugetlb: memfd_create with MFD_HUGETLB: %s; "
             "this kernel needs CONFIG_HUGETLBFS", strerror(errno));
    region->page_size = (size_t)status.st_blksize;
    return fd;
}

static void fill_cache(struct region *region, enum backing backing, enum cache cache, const char *name)
{
    char *page = allocate(1, region->page_size);

    memset(page, 0x5a, region->page_size);
    for (uint64_t i = 0; i < region->pages; i++) {
        off_t at = (off_t)(i * region->page_size);

        if (cache == CACHE_EMPTY || (cache == CACHE_HALF && i % 2 == 0))
            continue;
        region->cached[i] = 1;
        /* hugetlbfs has no write(2). */
        if (backing == BACKING_HUGETLB) {
            if (fallocate(region->fd, 0, at, (off_t)region->page_size))
                no_huge_pages(region);
        } else if (pwrite(region->fd, page, region->page_size, at) != (ssize_t)region->page_size) {
            stop(STOP_UNAVAILABLE, "backing %s: cannot fill the page cache: %s; use fewer --pages", name,
                 strerror(errno));
        }
    }
    free(page);
}

/* Map at an address aligned to 2 MiB (or the huge page), between two pages that are never mapped. */
static char *map_aligned(const struct region *region, int protection, int flags)
{
    size_t align = region->page_size > (2u << 20) ? region->page_size : 2u << 20;
    size_t length = region->pages * region->page_size;
    int nowhere = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *space = mmap(NULL, length + 3 * align, PROT_NONE, nowhere, -1, 0);
    char *start = (char *)(((uintptr_t)space + 2 * align - 1) & ~(uintptr_t)(align - 1));

    if (space == MAP_FAILED)
        return MAP_FAILED;
    return mmap(start, length, protection, flags | MAP_FIXED, region->fd, 0);
}

struct region memory_map(const struct options *o)
{
    struct region region = {.base_size = (size_t)sysconf(_SC_PAGESIZE), .pages = o->pages, .fd = -1};
    int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
    bool ours = true;
    uint64_t window;

    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    region.page_size = region.base_size;
    switch (o->backing) {
    case BACKING_ANON: flags = MAP_PRIVATE | MAP_ANONYMOUS; break;
    case BACKING_MEMFD_PRIVATE: flags = MAP_PRIVATE; /* fall through */
    case BACKING_MEMFD: region.fd = memfd_create("uffd-profiler-workload", MFD_CLOEXEC); break;
    case BACKING_TMPFS: region.fd = open_tmpfs(); break;
    case BACKING_HUGETLB: region.fd = open_hugetlb(&region); break;
    case BACKING_FILE:
        ours = open_file(o->cold_file, &region);
        flags = MAP_PRIVATE;
        break;
    }
    region.private_map = flags & MAP_PRIVATE;
    region.cached = allocate(region.pages, 1);
    if (o->backing != BACKING_ANON) {
        if (region.fd < 0)
            stop(STOP_UNAVAILABLE, "backing %s: memfd_create: %s", backing_name(o->backing), strerror(errno));
        if (ours && ftruncate(region.fd, (off_t)(region.pages * region.page_size)))
            stop(STOP_UNAVAILABLE, "backing %s: cannot be made %llu pages long: %s", backing_name(o->backing),
                 (unsigned long long)region.pages, strerror(errno));
    }
    /* hugetlb reserves at mmap: map before the cache is filled, so that the sentence is the right one. */
    region.start = map_aligned(&region, protection, flags);
    if (region.start == MAP_FAILED && o->backing == BACKING_HUGETLB)
        no_huge_pages(&region);
    if (region.start == MAP_FAILED)
        stop(STOP_FAILED, "cannot map %llu pages: %s", (unsigned long long)region.pages, strerror(errno));
    /* EINVAL for hugetlb and without THP in the kernel: then there is nothing to turn off. */
    madvise(region.start, region.pages * region.page_size, MADV_NOHUGEPAGE);
    if (o->backing == BACKING_FILE && ours)
        fill_cache(&region, o->backing, CACHE_FULL, "file");
    else if (o->backing != BACKING_ANON && o->backing != BACKING_FILE)
        fill_cache(&region, o->backing, o->cache, backing_name(o->backing));

    window = memory_fault_around_bytes();
    window = window > DEFAULT_FAULT_AROUND ? window : DEFAULT_FAULT_AROUND;
    region.block = window / region.page_size;
    if (o->backing == BACKING_ANON || o->backing == BACKING_HUGETLB)
        region.block = 1;
    return region;
}

uint64_t memory_populate(struct region *region)
{
    struct rusage before, after;

    getrusage(RUSAGE_THREAD, &before);
    for (uint64_t i = 0; i < region->pages; i++) {
        *(volatile char *)page_address(region, i) = 1;
        region->cached[i] = region->fd >= 0;
    }
    getrusage(RUSAGE_THREAD, &after);
    return (uint64_t)(after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt);
}

static bool swap_active(void)
{
    FILE *file = fopen("/proc/swaps", "re");
    unsigned lines = 0;
    int byte;

    while (file && (byte = fgetc(file)) != EOF)
        lines += byte == '\n';
    if (file)
        fclose(file);
    return lines > 1;
}

uint64_t memory_page_out(const struct region *region)
{
    int pagemap = pagemap_open();
    uint64_t swapped = 0;

    if (!swap_active())
        stop(STOP_UNAVAILABLE, "--swap: no swap is active; as root: fallocate -l 64M FILE && "
             "chmod 600 FILE && mkswap FILE && swapon FILE");
    for (int attempt = 0; attempt < 5 && swapped < region->pages; attempt++) {
        if (madvise(region->start, region->pages * region->page_size, MADV_PAGEOUT))
            stop(STOP_UNAVAILABLE, "--swap: MADV_PAGEOUT: %s; it needs Linux 5.4", strerror(errno));
        swapped = pagemap_count(pagemap, region, PAGE_SWAPPED);
    }
    close(pagemap);
    if (!swapped)
        stop(STOP_UNAVAILABLE, "--swap: the kernel paged nothing out; is the swap area full?");
    return swapped;
}

void memory_drop_cache(const struct region *region, const char *path)
{
    /* A file that is only read may be on a read-only file system: nothing of ours is dirty then. */
    fdatasync(region->fd);
    if (posix_fadvise(region->fd, 0, 0, POSIX_FADV_DONTNEED))
        stop(STOP_FAILED, "--cold-file %s: posix_fadvise: %s", path, strerror(errno));
}

uint64_t memory_cached(const struct region *region)
{
    struct stat status;
    struct statfs fs;
    unsigned char *resident;
    uint64_t count = 0;
    bool shmem;

    if (region->fd < 0 || fstat(region->fd, &status))
        return 0;
    /* shmem and hugetlbfs: what is allocated is what is cached. */
    shmem = !fstatfs(region->fd, &fs) && fs.f_type == TMPFS_MAGIC_NUMBER;
    if (shmem || region->page_size != region->base_size)
        return (uint64_t)status.st_blocks * 512u / region->page_size;
    resident = allocate(region->pages, 1);
    if (!mincore(region->start, region->pages * region->page_size, resident))
        for (uint64_t i = 0; i < region->pages; i++)
            count += resident[i] & 1;
    free(resident);
    return count;
}

void memory_look_for_protection(const struct options *o, struct region *region)
{
    int pagemap = pagemap_open();
    uint64_t entry = pagemap_entry(pagemap, region, 0);

    close(pagemap);
    region->hides_wp = (entry & PAGE_PRESENT) && !(entry & PAGE_UFFD_WP);
    if (region->hides_wp && o->same_page)
        stop(STOP_UNAVAILABLE, "--marker --same-page: /proc/self/pagemap of this kernel does not show uffd-wp");
}

int pagemap_open(void)
{
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        stop(STOP_UNAVAILABLE, "/proc/self/pagemap: %s; the oracle needs it: mount /proc, "
             "CONFIG_PROC_PAGE_MONITOR", strerror(errno));
    return fd;
}

static void read_entries(int pagemap, const char *address, size_t base_size, uint64_t *entries, size_t count)
{
    off_t at = (off_t)((uintptr_t)address / base_size * sizeof(*entries));
    size_t bytes = count * sizeof(*entries);

    if (pread(pagemap, entries, bytes, at) != (ssize_t)bytes)
        stop(STOP_FAILED, "/proc/self/pagemap: %s", errno ? strerror(errno) : "short read");
}

uint64_t pagemap_entry(int pagemap, const struct region *region, uint64_t page)
{
    uint64_t entry;

    read_entries(pagemap, page_address(region, page), region->base_size, &entry, 1);
    return entry;
}

uint64_t pagemap_count(int pagemap, const struct region *region, uint64_t bits)
{
    uint64_t entries[SCAN_ENTRIES], count = 0;
    size_t chunk = region->page_size == region->base_size ? SCAN_ENTRIES : 1;

    for (uint64_t page = 0; page < region->pages; page += chunk) {
        size_t length = region->pages - page < chunk ? region->pages - page : chunk;

        read_entries(pagemap, page_address(region, page), region->base_size, entries, length);
        for (size_t i = 0; i < length; i++)
            count += (entries[i] & bits) != 0;
    }
    return count;
}
