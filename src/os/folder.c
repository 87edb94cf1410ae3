/*
 * Folders, paths and locks of our own: the second half of file.h. What is inside a file
 * is file.c's. Every room that keeps files calls it.
 */
#include <os/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <base/text.h>
#include <os/clock.h>

#define LOCK_POLL_MS 20

static bool is_dir(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int make_one(const char *path) {
    int error;

    if (mkdir(path, 0700) != 0) {
        error = -errno;
        /* On a read-only or foreign parent the error may be another than EEXIST. */
        if (is_dir(path)) {
            return 0;
        }
        return error == -EEXIST ? -ENOTDIR : error;
    }
    error = bk__file_sync_parent(path);
    return error == -EACCES ? 0 : error; /* a parent we may write but not read */
}

int bk__file_make_dir(const char *path) {
    char *copy;
    int error = 0;

    if (is_dir(path)) {
        return 0;
    }
    copy = strdup(path);
    if (!copy) {
        return -ENOMEM;
    }
    for (char *at = copy + 1; *copy && *at && !error; at++) {
        if (*at == '/' && at[-1] != '/') {
            *at = '\0';
            error = make_one(copy);
            *at = '/';
        }
    }
    if (!error) {
        error = make_one(path);
    }
    free(copy);
    return error;
}

int bk__file_sync_dir(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

    if (fd < 0) {
        return -errno;
    }
    error = bk__file_sync(fd);
    close(fd);                           /* only read */
    return error == -EINVAL ? 0 : error; /* a file system that has no fsync for folders */
}

int bk__file_sync_parent(const char *path) {
    char *dir = bk__file_dir(path);
    int error = dir ? bk__file_sync_dir(dir) : -ENOMEM;

    free(dir);
    return error;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, const char *name) {
    char **more = *names;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return 0;
    }
    if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: the list is full */
        more = realloc(more, (*count ? *count * 2 : 1) * sizeof *more);
        if (!more) {
            return -ENOMEM;
        }
        *names = more;
    }
    more[*count] = strdup(name);
    if (!more[*count]) {
        return -ENOMEM;
    }
    ++*count;
    return 0;
}

int bk__file_list(const char *dir, char ***ret_names, size_t *ret_count) {
    DIR *stream = opendir(dir); /* close-on-exec by itself */
    struct dirent *entry;
    char **names = NULL;
    size_t count = 0;
    int error = 0;

    if (!stream) {
        return -errno;
    }
    do {
        errno = 0;
        entry = readdir(stream);
        error = entry ? add_name(&names, &count, entry->d_name) : -errno;
    } while (entry && !error);
    closedir(stream);
    if (error) {
        bk__file_list_free(names, count);
        return error;
    }
    if (count) {
        qsort(names, count, sizeof *names, by_name);
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

void bk__file_list_free(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

int bk__file_space(const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes) {
    struct statvfs status;
    uint64_t unit;

    if (statvfs(path, &status) != 0) {
        return -errno;
    }
    unit = status.f_frsize ? status.f_frsize : status.f_bsize;
    /* f_bavail, not f_bfree: what is kept for root is not ours to fill. */
    *ret_free_bytes = (int64_t)(status.f_bavail * unit);
    *ret_total_bytes = (int64_t)(status.f_blocks * unit);
    return 0;
}

int bk__file_remove_dir(const char *path) {
    char **names = NULL;
    size_t count = 0;
    int error = bk__file_remove(path); /* a link to a folder is a file: it alone goes */

    if (error != -EISDIR && error != -EPERM) {
        return error;
    }
    error = bk__file_list(path, &names, &count);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < count && !error; i++) {
        char *file = bk__file_join(path, names[i]);

        error = file ? bk__file_remove(file) : -ENOMEM;
        free(file);
    }
    bk__file_list_free(names, count);
    if (!error && rmdir(path) != 0) {
        error = -errno;
    }
    return error;
}

char *bk__file_absolute(const char *path) {
    char *here, *whole;

    if (*path == '/') {
        return strdup(path);
    }
    here = getcwd(NULL, 0);
    if (!here) { /* the current folder is deleted: the path means nothing, and stays as it
                  is */
        return errno == ENOMEM ? NULL : strdup(path);
    }
    while (bk__text_starts(path, "./")) {
        for (path += 2; *path == '/';) {
            path++;
        }
    }
    whole = *path && strcmp(path, ".") != 0 ? bk__file_join(here, path) : strdup(here);
    free(here);
    return whole;
}

char *bk__file_join(const char *dir, const char *name) {
    const char *slash = !*dir || bk__text_ends(dir, "/") ? "" : "/";

    return bk__text_printf("%s%s%s", dir, slash, name);
}

char *bk__file_dir(const char *path) {
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    while (size && path[size - 1] != '/') {
        size--;
    }
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    return size ? strndup(path, size) : strdup(".");
}

/* Whether the locked descriptor is still the file at path: its last holder may have
   removed it between our open() and our flock(), and then we hold a lock that nobody else
   can see. */
static int still_there(int fd, const char *path) {
    struct stat opened;
    bool same = false;

    if (fstat(fd, &opened) != 0) {
        return -errno;
    }
    return bk__file_same(path, opened.st_dev, opened.st_ino, &same) == 0 && same;
}

/* The locked descriptor, or -EWOULDBLOCK, also when it must be tried again. */
static int try_lock(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), error;

    if (fd < 0) {
        return errno == EINTR ? -EWOULDBLOCK : -errno;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error = errno == EINTR ? -EWOULDBLOCK : -errno;
    } else {
        int there = still_there(fd, path);

        if (there > 0) {
            return fd;
        }
        error = there < 0 ? there : -EWOULDBLOCK;
    }
    close(fd);
    return error;
}

int bk__file_lock(const char *path, int wait_ms, const bool *cancel) {
    int64_t end = bk__clock_mono() + wait_ms;

    for (;;) {
        int fd = try_lock(path);
        int64_t left = end - bk__clock_mono();

        if (fd != -EWOULDBLOCK || left <= 0) {
            return fd;
        }
        if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED)) {
            return -ECANCELED;
        }
        bk__clock_sleep(left < LOCK_POLL_MS ? (int)left : LOCK_POLL_MS);
    }
}

int bk__file_lock_look(const char *path, char *ret_text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ret_text[0] = '\0';
    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    /* Shared, so that two who look do not see each other. */
    int held = flock(fd, LOCK_SH | LOCK_NB) == 0 ? 0 : -errno;
    held = held == -EWOULDBLOCK ? 1 : held;
    int64_t size = held == 1 ? bk__file_pread(fd, ret_text, room - 1, 0) : 0;
    ret_text[size > 0 ? size : 0] = '\0';
    close(fd);
    return size < 0 ? (int)size : held;
}

int bk__file_lock_dir(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error;

    if (fd < 0) {
        return -errno;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return fd;
    }
    error = -errno;
    close(fd);
    return error;
}
