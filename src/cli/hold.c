/*
 * `botkeep hold`, hidden: takes and holds one lock for a host that has no thread of its own
 * descriptor table to do so, as long as that host lives. It reads a path and the host's pid from
 * standard input. Not for people: the host's library starts it.
 */
#include "cli.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <botkeep.h>

#define LOOK_MS 500

/* The locked file, still the one at its path, or -1. */
static int take(const char *path) {
    struct stat opened;
    struct stat there;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 &&
        stat(path, &there) == 0 && opened.st_dev == there.st_dev &&
        opened.st_ino == there.st_ino) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* For people: whose lock it is. */
static void sign(int fd, pid_t host) {
    char pid[16];
    int size = snprintf(pid, sizeof pid, "%-10d\n", (int)host);
    if (pwrite(fd, pid, (size_t)size, 0) != size) {
        return; /* A full disk: nothing hangs on it. */
    }
}

/* A child that the host forked may hold the other end of our input open after the host's death, so
   the parent is asked for, too. */
static bool host_is_there(pid_t host) {
    char junk[64];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&in, 1, LOOK_MS) > 0 && read(STDIN_FILENO, junk, sizeof junk) <= 0) {
        return false;
    }
    return getppid() == host;
}

static int hold(const char *path, pid_t host) {
    int fd = take(path);
    bool good = bk__cli_say(fd >= 0 ? "held" : "busy");
    while (good && host_is_there(host)) {
        if (fd < 0) {
            fd = take(path);
            good = fd < 0 || bk__cli_say("held");
        }
        if (fd >= 0) {
            sign(fd, host);
        }
    }
    return 0; /* the kernel lets go of it */
}

int bk__cli_hold(void) {
    char line[8192];
    if (!bk__cli_ignore_signals() || !bk__cli_say("helper") ||
        !fgets(line, sizeof line, stdin)) {
        return 1;
    }
    struct json_object *request = json_tokener_parse(line);
    struct json_object *pid = request ? bk__cli_member(request, "pid") : NULL;
    int code = 1;
    if (pid) {
        code = hold(bk__cli_text(request, "path"), (pid_t)json_object_get_int(pid));
    }
    json_object_put(request);
    return code;
}
