/*
 * A child process spoken to over two pipes: no shell, no fork handlers, nothing of ours
 * inherited but the pipes. What is said over them is guest/relay.c's. The guest room
 * starts the helper with it.
 */
#include <os/process.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/text.h>
#include <os/clock.h>
#include <os/file.h>

#define POLL_MS 5

/* A pipe whose ends are above 2, so that neither can be overwritten by the child's
   dup2(), even where the host has closed its standard descriptors. */
static int make_pipe(int ends[2]) {
    int low[2], error = 0;

    if (pipe2(low, O_CLOEXEC) != 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 3);
        if (ends[i] < 0 && !error) {
            error = -errno;
        }
        close(low[i]);
    }
    for (int i = 0; i < 2 && error; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
    return error;
}

static int describe_files(posix_spawn_file_actions_t *files, int in, int out) {
    int error = posix_spawn_file_actions_adddup2(files, in, 0);

    if (!error) {
        error = posix_spawn_file_actions_adddup2(files, out, 1);
    }
    if (!error) { /* the host's descriptors are often not close-on-exec */
        error = posix_spawn_file_actions_addclosefrom_np(files, 3);
    }
    return error;
}

static int describe_child(posix_spawnattr_t *child) {
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    error = posix_spawnattr_setsigmask(child, &none);
    if (!error) {
        error = posix_spawnattr_setsigdefault(child, &all);
    }
    if (!error) { /* a group of its own: Ctrl-C is for the bot, which ends its helper in
                   order */
        error = posix_spawnattr_setpgroup(child, 0);
    }
    if (!error) {
        error = posix_spawnattr_setflags(child, POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    }
    return error;
}

/* What a child is started with. */
struct start {
    const char *const *argv;
    char *const *environment;
};

static int spawn(pid_t *ret, const struct start *start, int in, int out) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t child;
    int error = posix_spawn_file_actions_init(&files);

    if (error) {
        return -error;
    }
    error = posix_spawnattr_init(&child);
    if (error) {
        goto out;
    }
    error = describe_files(&files, in, out);
    if (!error) {
        error = describe_child(&child);
    }
    if (!error) { /* exec does not write to argv: the missing const is history */
        error = posix_spawn(ret, start->argv[0], &files, &child,
                            (char *const *)(uintptr_t)start->argv, start->environment);
    }
    posix_spawnattr_destroy(&child);
out:
    posix_spawn_file_actions_destroy(&files);
    return -error;
}

static int start_with(struct bk__process *ret, const struct start *start) {
    int in[2] = {-1, -1}, out[2] = {-1, -1}, error;
    pid_t pid;

    error = make_pipe(in);
    if (error) {
        return error;
    }
    error = make_pipe(out);
    if (error) {
        close(in[0]);
        close(in[1]);
        return error;
    }
    error = spawn(&pid, start, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (error) {
        close(in[1]);
        close(out[0]);
        return error;
    }
    *ret = (struct bk__process){.pid = pid, .to = in[1], .from = out[0]};
    return 0;
}

/* Whether "NAME=value" holds a secret: a URL with a login, or a name that says so. What libpq reads by
   itself stays. */
static bool is_secret(const char *variable) {
    static const char *const ends[] = {"PASSWORD", "PASS", "SECRET", "TOKEN"};
    size_t size = strcspn(variable, "=");
    const char *url = strstr(variable + size, "://");
    bool secret = url != NULL && strchr(url, '@') != NULL;

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        secret |= !bk__text_starts(variable, "PG") && size >= end &&
                  strncasecmp(variable + size - end, ends[i], end) == 0;
    }
    return secret;
}

/* The host's environment without its secrets; the list alone is to be freed. NULL: out of memory. */
static char **harmless_environment(void) {
    size_t count = 0;
    char **list;

    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    list = calloc(count + 1, sizeof *list);
    for (size_t i = 0, kept = 0; list != NULL && i < count; i++) {
        if (!is_secret(environ[i])) {
            list[kept++] = environ[i];
        }
    }
    return list;
}

int bk__process_start(struct bk__process *ret, const char *const argv[]) {
    char **environment = harmless_environment();
    int error = environment == NULL ? -ENOMEM
                                    : start_with(ret, &(struct start){argv, environment});

    free(environment);
    return error;
}

int bk__process_start_bare(struct bk__process *ret, const char *const argv[]) {
    static char *const none[] = {NULL};
    return start_with(ret, &(struct start){argv, none});
}

void bk__process_close_input(struct bk__process *process) {
    if (process->to >= 0) {
        close(process->to);
    }
    process->to = -1;
}

void bk__process_leave(struct bk__process *process) {
    bk__process_close_input(process);
    if (process->from >= 0) {
        close(process->from);
    }
    *process = (struct bk__process){.pid = -1, .to = -1, .from = -1};
}

/* Its status in *ret and true, or -errno there and true; false: it still runs. */
static bool ended(pid_t pid, int flags, int *ret) {
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, flags);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        return false;
    }
    *ret = got < 0 ? -errno : status;
    return true;
}

int bk__process_end(struct bk__process *process, int wait_ms) {
    int64_t end = bk__clock_mono() + wait_ms;
    int status = 0;
    bool gone;

    bk__process_close_input(process);
    while (!(gone = ended(process->pid, WNOHANG, &status)) && bk__clock_mono() < end) {
        bk__clock_sleep(POLL_MS);
    }
    if (!gone) {
        kill(process->pid, SIGKILL);
        ended(process->pid, 0, &status);
    }
    /* Last, so that a helper that still writes does not die of it while it has time. */
    if (process->from >= 0) {
        close(process->from);
    }
    *process = (struct bk__process){.pid = -1, .to = -1, .from = -1};
    return status;
}

/* The file of the line of /proc/self/maps that holds address. */
static char *mapped_file(char *line, uintptr_t address) {
    unsigned long start, end;
    char *path;

    for (char *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        path = strchr(line, '/');
        if (path && sscanf(line, "%lx-%lx", &start, &end) == 2 && address >= start &&
            address < end) {
            /* Replaced by an upgrade while loaded: the new file has the old one's name.
             */
            if (bk__text_ends(path, " (deleted)")) {
                path[strlen(path) - strlen(" (deleted)")] = '\0';
            }
            return strdup(path);
        }
    }
    return NULL;
}

char *bk__process_library(void) {
    uintptr_t here = (uintptr_t)&bk__process_library;
    char *maps, *path = NULL;
    Dl_info info;

    /* The kernel knows the absolute path; the loader only what it was asked for, which
       may be relative to a folder that the host has left since. */
    if (bk__file_load("/proc/self/maps", 64 << 20, &maps, NULL) == 0) {
        path = mapped_file(maps, here);
        free(maps);
    }
    if (!path && dladdr((void *)here, &info) && info.dli_fname) {
        path = bk__file_absolute(info.dli_fname);
    }
    return path;
}
