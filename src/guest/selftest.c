/*
 * The isolation self-test. Not a promise about other machines: it asks this kernel about
 * this file system, at each bk_open(). guest.c calls it, on the host's thread.
 *
 * No child process is needed for it. The kernel keeps POSIX locks by descriptor table, so
 * the question "would another process see this lock?" is answered by F_GETLK from any
 * other table: the guest's for the host's locks, the host's for the guest's. The unit
 * tests compare both answers with those of real child processes.
 */
#include <guest/selftest.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <guest/root.h>
#include <os/file.h>
#include <botkeep.h>

/* Which byte of the scratch file each side locks. */
enum { HOST_BYTE = 0, GUEST_BYTE = 1 };

/* What the guest does and sees; passed to it and read after it ended. */
struct visit {
    const char *path;
    int fd;          /* in the guest's table, from arrive() to leave() */
    int error;       /* -errno of what failed */
    bool seen;       /* the host's lock is somebody else's */
    bool seen_after; /* and still there after the guest closed the file */
};

static int set_lock(int fd, int byte) {
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return fcntl(fd, F_SETLK, &range) == 0 ? 0 : -errno;
}

/* Whether somebody else holds the byte. */
static int ask_lock(int fd, int byte, bool *ret_held) {
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    if (fcntl(fd, F_GETLK, &range) != 0)
        return -errno;
    *ret_held = range.l_type != F_UNLCK;
    return 0;
}

/* What any careless file access does: open, look, read, close. The close is the dangerous
 * part. */
static int careless_read(const char *path, bool *ret_seen) {
    char byte;
    int result;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    result = ask_lock(fd, HOST_BYTE, ret_seen);
    if (result == 0 && read(fd, &byte, 1) < 0)
        result = -errno;
    close(fd);
    return result;
}

static int look(struct visit *visit) {
    int result = careless_read(visit->path, &visit->seen);

    if (result != 0)
        return result;
    visit->fd = open(visit->path, O_RDWR | O_CLOEXEC);
    if (visit->fd < 0)
        return -errno;
    result = ask_lock(visit->fd, HOST_BYTE, &visit->seen_after);
    return result != 0 ? result : set_lock(visit->fd, GUEST_BYTE);
}

static void *arrive(void *arg) {
    struct visit *visit = arg;

    visit->error = look(visit);
    return NULL;
}

static void *leave(void *arg) {
    struct visit *visit = arg;

    if (visit->fd >= 0)
        close(visit->fd);
    return NULL;
}

__attribute__((format(printf, 2, 3))) static int refuse(char **ret_why,
                                                        const char *format, ...) {
    va_list list;

    va_start(list, format);
    if (vasprintf(ret_why, format, list) < 0)
        *ret_why = NULL;
    va_end(list);
    return BK_EISOLATION;
}

/* The host's half, with the scratch file open and the guest's visit in between. */
static int compare(int fd, struct visit *visit, char **ret_why) {
    bool guest_seen = false;
    int result = set_lock(fd, HOST_BYTE);

    if (result != 0)
        return refuse(ret_why, "this file system has no locks (%s)", strerror(-result));
    result = bk__guest_root_call(arrive, visit);
    if (result != 0)
        return refuse(ret_why, "no guest thread could be started (%s)",
                      strerror(-result));
    if (visit->error == 0)
        visit->error = ask_lock(fd, GUEST_BYTE, &guest_seen);
    result = bk__guest_root_call(leave, visit);
    if (result != 0)
        return refuse(ret_why, "no guest thread could be started (%s)",
                      strerror(-result));
    if (visit->error != 0)
        return refuse(ret_why, "the guest thread could not use the scratch file (%s)",
                      strerror(-visit->error));
    if (!visit->seen || !guest_seen)
        return refuse(ret_why,
                      "host and guest threads do not see each other's file locks");
    if (!visit->seen_after)
        return refuse(ret_why, "a close in a guest thread drops the host's file locks");
    return 0;
}

int bk__guest_selftest(const char *scratch_dir, char **ret_why) {
    struct visit visit = {.fd = -1};
    int result;
    int fd = -1;
    char *path = bk__file_join(scratch_dir, ".isolation-XXXXXX");

    *ret_why = NULL;
    if (path == NULL)
        return refuse(ret_why, "out of memory");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        result = refuse(ret_why, "no scratch file can be made in %s (%s)", scratch_dir,
                        strerror(errno));
        goto out;
    }
    visit.path = path;
    result = compare(fd, &visit, ret_why);
    close(fd);
    unlink(path);
out:
    free(path);
    return result;
}
