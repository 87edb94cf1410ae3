/*
 * For LD_PRELOAD: counts the calls that change a disk, and lets the n-th fail, or kills the process
 * right before it. FAULT_AT=n, FAULT_HOW=once|stays|short|kill, FAULT_ERRNO=number, FAULT_REPORT=a file of two numbers: calls
 * counted, faults fired. Writes to what is no regular file are let through. FAULT_FREE=bytes is all
 * the free space there is said to be. tests/fault/run sets it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

struct report {
    int calls;
    int fired;
};

enum how { ONCE, STAYS, SHORT, KILL };

static struct report *report;
static int fault_at;
static int fault_errno;
static enum how how;

static int number(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? atoi(value) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_REPORT");
    const char *kind = getenv("FAULT_HOW");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct report *mapped =
        mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) {
        return;
    }
    fault_at = number("FAULT_AT");
    fault_errno = number("FAULT_ERRNO");
    if (kind != NULL) {
        how = strcmp(kind, "stays") == 0   ? STAYS
              : strcmp(kind, "short") == 0 ? SHORT
              : strcmp(kind, "kill") == 0  ? KILL
                                           : ONCE;
    }
    report = mapped;
}

/* Counts a call; true when it is to fail. A full disk still lets files be removed. */
static bool is_hit(bool frees) {
    if (report == NULL) {
        return false;
    }
    int call = __atomic_add_fetch(&report->calls, 1, __ATOMIC_RELAXED);
    bool hit = how == STAYS ? call >= fault_at && !frees : call == fault_at;
    if (hit) {
        __atomic_add_fetch(&report->fired, 1, __ATOMIC_RELAXED);
        if (how == KILL) {
            kill(getpid(), SIGKILL);
        }
    }
    return hit;
}

static bool is_fault(bool frees) {
    if (how == SHORT || !is_hit(frees)) {
        return false;
    }
    errno = fault_errno;
    return true;
}

static bool is_file(int fd) {
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/* How much of a write goes through: all of it, half of it, or -1 with errno set. */
static ssize_t let_through(int fd, size_t size) {
    if (!is_file(fd) || !is_hit(false)) {
        return (ssize_t)size;
    }
    if (how == SHORT) {
        return size > 1 ? (ssize_t)(size / 2) : (ssize_t)size;
    }
    errno = fault_errno;
    return -1;
}

#define REAL(type, name, parameters)                                                     \
    static type(*real) parameters;                                                       \
    if (real == NULL) {                                                                  \
        real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                              \
    }

API ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(ssize_t, write, (int, const void *, size_t))
    ssize_t part = let_through(fd, size);
    return part < 0 ? -1 : real(fd, bytes, (size_t)part);
}

API ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    REAL(ssize_t, pwrite, (int, const void *, size_t, off_t))
    ssize_t part = let_through(fd, size);
    return part < 0 ? -1 : real(fd, bytes, (size_t)part, at);
}

API ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, (int, const void *, size_t, off64_t))
    ssize_t part = let_through(fd, size);
    return part < 0 ? -1 : real(fd, bytes, (size_t)part, at);
}

API int fsync(int fd) {
    REAL(int, fsync, (int))
    return is_fault(false) ? -1 : real(fd);
}

API int fdatasync(int fd) {
    REAL(int, fdatasync, (int))
    return is_fault(false) ? -1 : real(fd);
}

API int ftruncate(int fd, off_t size) {
    REAL(int, ftruncate, (int, off_t))
    return is_fault(size == 0) ? -1 : real(fd, size);
}

API int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, (int, off64_t))
    return is_fault(size == 0) ? -1 : real(fd, size);
}

API int rename(const char *from, const char *to) {
    REAL(int, rename, (const char *, const char *))
    return is_fault(true) ? -1 : real(from, to);
}

API int renameat2(int from_fd, const char *from, int to_fd, const char *to,
                  unsigned flags) {
    REAL(int, renameat2, (int, const char *, int, const char *, unsigned))
    return is_fault(true) ? -1 : real(from_fd, from, to_fd, to, flags);
}

API int link(const char *from, const char *to) {
    REAL(int, link, (const char *, const char *))
    return is_fault(false) ? -1 : real(from, to);
}

API int unlink(const char *path) {
    REAL(int, unlink, (const char *))
    return is_fault(true) ? -1 : real(path);
}

API int rmdir(const char *path) {
    REAL(int, rmdir, (const char *))
    return is_fault(true) ? -1 : real(path);
}

API int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, (const char *, mode_t))
    return is_fault(false) ? -1 : real(path, mode);
}

API int open(const char *path, int flags, ...) {
    REAL(int, open, (const char *, int, ...))
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return (flags & O_CREAT) != 0 && is_fault(false) ? -1 : real(path, flags, mode);
}

API int open64(const char *path, int flags, ...) {
    REAL(int, open64, (const char *, int, ...))
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return (flags & O_CREAT) != 0 && is_fault(false) ? -1 : real(path, flags, mode);
}

API int statvfs(const char *path, struct statvfs *ret) {
    REAL(int, statvfs, (const char *, struct statvfs *))
    const char *said = getenv("FAULT_FREE");
    int rc = real(path, ret);
    if (rc == 0 && said != NULL) {
        ret->f_bavail = (fsblkcnt_t)atol(said) / ret->f_frsize;
    }
    return rc;
}
