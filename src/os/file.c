/*
 * Files of our own: opening, whole reads and writes, saving so that a crash leaves the
 * old or the new text. Folders, paths and locks stand in folder.c. Never for a store's
 * own files from a host thread (src/guest). Every room calls it.
 */
#include <os/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/text.h>

static int open_retrying(const char *path, int flags, mode_t mode) {
    int fd;

    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int bk__file_open_read(const char *path) {
    return open_retrying(path, O_RDONLY, 0);
}

int bk__file_create(const char *path) {
    return open_retrying(path, O_RDWR | O_CREAT | O_EXCL, 0600);
}

int bk__file_close(int fd) {
    /* On Linux the descriptor is gone after EINTR too: a second close() could hit
       somebody else's file. */
    if (close(fd) != 0 && errno != EINTR) {
        return -errno;
    }
    return 0;
}

int bk__file_write(int fd, const void *bytes, size_t size) {
    const char *at = bytes;

    while (size) {
        ssize_t done = write(fd, at, size);

        if (done > 0) {
            at += done;
            size -= (size_t)done;
        } else if (done == 0) {
            return -EIO; /* no progress and no reason: never spin on it */
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int bk__file_pwrite(int fd, const void *bytes, size_t size, int64_t at) {
    const char *from = bytes;

    while (size) {
        ssize_t done = pwrite(fd, from, size, at);

        if (done > 0) {
            from += done;
            at += done;
            size -= (size_t)done;
        } else if (done == 0) {
            return -EIO;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int64_t bk__file_read(int fd, void *bytes, size_t size) {
    char *at = bytes;

    while (size) {
        ssize_t done = read(fd, at, size);

        if (done > 0) {
            at += done;
            size -= (size_t)done;
        } else if (done == 0) {
            break;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return at - (char *)bytes;
}

int64_t bk__file_pread(int fd, void *bytes, size_t size, int64_t at) {
    char *to = bytes;

    while (size) {
        ssize_t done = pread(fd, to, size, at);

        if (done > 0) {
            to += done;
            at += done;
            size -= (size_t)done;
        } else if (done == 0) {
            break;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return to - (char *)bytes;
}

int bk__file_sync(int fd) {
    /* Never twice: after a failure the kernel has dropped the dirty pages and marked them
       clean, so a second fsync() would report a success that is none. */
    return fsync(fd) == 0 ? 0 : -errno;
}

void bk__file_sync_begin(int fd, int64_t at, int64_t size) {
    /* Whatever it says: only fsync tells what is on the disk. */
    (void)sync_file_range(fd, at, size, SYNC_FILE_RANGE_WRITE);
}

int64_t bk__file_size(int fd) {
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_size : -errno;
}

int bk__file_rename(const char *from, const char *to) {
    return rename(from, to) == 0 ? 0 : -errno;
}

int bk__file_rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    /* A file system without that flag: a link never replaces either. */
    if (link(from, to) != 0) {
        return -errno;
    }
    return unlink(from) == 0 ? 0 : -errno;
}

int bk__file_exchange(const char *one, const char *other) {
    int rc = renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);

    return rc == 0 ? 0 : errno == ENOSYS ? -EINVAL : -errno;
}

int bk__file_remove(const char *path) {
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

bool bk__file_exists(const char *path) {
    struct stat status;

    return stat(path, &status) == 0;
}

int64_t bk__file_size_of(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 ? status.st_size : -errno;
}

bool bk__file_is_plain(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int bk__file_same(const char *path, uint64_t dev, uint64_t ino, bool *ret_same) {
    struct stat status;

    if (stat(path, &status) != 0) {
        return -errno;
    }
    *ret_same = status.st_dev == dev && status.st_ino == ino;
    return 0;
}

/* Reads until the end, because files in /proc and pipes say that they are 0 bytes
   large. */
static int load(int fd, size_t limit, char **ret_text, size_t *ret_size) {
    char *text = NULL;
    size_t size = 0, room = 0;

    for (;;) {
        size_t next = room ? room * 2 : 4096;
        char *more;
        int64_t got;

        /* Never more than a byte too many, which shows that the file is too large, and the
           NUL. */
        if (next - 2 > limit) {
            next = limit + 2;
        }
        more = realloc(text, next);
        if (!more) {
            free(text);
            return -ENOMEM;
        }
        text = more;
        room = next;
        got = bk__file_read(fd, text + size, room - size - 1);
        if (got < 0 || size + (size_t)got > limit) {
            free(text);
            return got < 0 ? (int)got : -EFBIG;
        }
        size += (size_t)got;
        if (size < room - 1) {
            break;
        }
    }
    text[size] = '\0';
    *ret_text = text;
    if (ret_size) {
        *ret_size = size;
    }
    return 0;
}

int bk__file_load(const char *path, size_t limit, char **ret_text, size_t *ret_size) {
    int fd = bk__file_open_read(path);
    int error;

    if (fd < 0) {
        return fd;
    }
    error = load(fd, limit, ret_text, ret_size);
    close(fd); /* only read: nothing can be lost */
    return error;
}

static int save_aside(const char *aside, const void *bytes, size_t size) {
    int error, fd, closed;

    /* What a crash left there may be a link or have other rights: never write into it. */
    error = bk__file_remove(aside);
    if (error) {
        return error;
    }
    fd = bk__file_create(aside);
    if (fd < 0) {
        return fd;
    }
    error = bk__file_write(fd, bytes, size);
    if (!error) {
        error = bk__file_sync(fd);
    }
    closed = bk__file_close(fd);
    return error ? error : closed;
}

int bk__file_save(const char *path, const void *bytes, size_t size) {
    char *aside = bk__text_printf("%s.tmp", path);
    int error;

    if (!aside) {
        return -ENOMEM;
    }
    error = save_aside(aside, bytes, size);
    if (!error) {
        error = bk__file_rename(aside, path);
    }
    if (error) {
        unlink(aside); /* the first error is the one to report */
    } else {
        error = bk__file_sync_parent(path);
    }
    free(aside);
    return error;
}
