/* A disk that fails as told, for one process: put before the C library with LD_PRELOAD.
 *
 * DISK_ROOT is the folder whose files it is about, DISK_FAULTS what goes wrong there: entries such as
 * "write:3:once", comma-separated, of a call, the number of the first one that fails, and how. DISK_LOG
 * gets a line for each failure: the call and the path. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { WRITE, FSYNC, RENAME, UNLINK, TRUNCATE, CREATE, CALLS };
static const char *const NAMES[] = {"write", "fsync", "rename", "unlink", "truncate", "create"};

enum how {
    NONE,
    /* One call fails. */
    ONCE,
    /* That and all later ones. */
    EVER,
    /* Half is written, which is no failure. */
    HALF,
    /* Half is written, and the next call fails. */
    TORN,
    /* It takes its time. */
    SLOW,
    /* It is told, and does not come back. */
    HANG
};

static atomic_ulong calls[CALLS];
static unsigned long first[CALLS];
static enum how how[CALLS];
static char root[PATH_MAX];

__attribute__((constructor)) static void read_faults(void) {
    const char *folder = getenv("DISK_ROOT"), *faults = getenv("DISK_FAULTS");
    if (!folder || !faults) return;
    strncpy(root, folder, sizeof root - 1);
    char *text = strdup(faults);
    for (char *entry = strtok(text, ","); entry; entry = strtok(NULL, ",")) {
        char call[16], way[16];
        unsigned long number;
        if (sscanf(entry, "%15[^:]:%lu:%15s", call, &number, way) != 3) abort();
        for (int i = 0; i < CALLS; i++) {
            if (strcmp(call, NAMES[i])) continue;
            first[i] = number;
            how[i] = !strcmp(way, "once") ? ONCE
                     : !strcmp(way, "ever") ? EVER
                     : !strcmp(way, "half") ? HALF
                     : !strcmp(way, "torn") ? TORN
                     : !strcmp(way, "hang") ? HANG
                                            : SLOW;
        }
    }
    free(text);
}

static int is_below(const char *path) {
    if (!root[0]) return 0;
    return path[0] != '/' || !strncmp(path, root, strlen(root));
}

/* The path of a file or folder below the root. */
static int path_of(int fd, char *path) {
    char link[64];
    struct stat found;
    if (!root[0] || fstat(fd, &found)) return 0;
    if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static void tell(enum call call, const char *path) {
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", NAMES[call], path);
    long log = syscall(SYS_openat, AT_FDCWD, getenv("DISK_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (log < 0 || syscall(SYS_write, log, line, length) != length) abort();
    syscall(SYS_close, log);
}

/* What becomes of this call; a failure is told. */
static enum how next(enum call call, const char *path) {
    unsigned long number = atomic_fetch_add(&calls[call], 1) + 1, at = first[call];
    if (!at || number < at) return NONE;
    switch (how[call]) {
    case SLOW:
        usleep(1000);
        return NONE;
    case ONCE:
        if (number > at) return NONE;
        break;
    case HANG:
        if (number > at) return NONE;
        tell(call, path);
        for (;;) pause();
    case HALF:
        return HALF;
    case TORN:
        if (number == at) return HALF;
        if (number > at + 1) return NONE;
        break;
    default:
        break;
    }
    tell(call, path);
    return ONCE;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd, bytes, length);
    enum how becomes = next(WRITE, path);
    if (becomes == ONCE) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, becomes == HALF && length > 1 ? length / 2 : length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    REAL(pwrite64);
    char path[PATH_MAX];
    if (path_of(fd, path) && next(WRITE, path) == ONCE) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, length, at);
}

int fsync(int fd) {
    REAL(fsync);
    char path[PATH_MAX];
    if (path_of(fd, path) && next(FSYNC, path) == ONCE) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    char path[PATH_MAX];
    if (path_of(fd, path) && next(TRUNCATE, path) == ONCE) {
        errno = EIO;
        return -1;
    }
    return real(fd, length);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (is_below(to) && next(RENAME, to) == ONCE) {
        errno = EIO;
        return -1;
    }
    return real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    if (is_below(path) && next(UNLINK, path) == ONCE) {
        errno = EIO;
        return -1;
    }
    return real(path);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (flags & O_CREAT && is_below(path) && next(CREATE, path) == ONCE) {
        errno = ENOSPC;
        return -1;
    }
    return real(path, flags, mode);
}
