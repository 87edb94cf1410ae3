/*
 * A program run to its end as a child that nobody but its starter knows: no shell, no signal to the
 * host, no status for somebody else's wait(), and it dies with the thread that started it. Not the
 * helper (process.h), which is spoken to. Store drivers run their clients with it.
 */
#ifndef BK_OS_CHILD_H
#define BK_OS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/buf.h>

struct bk__child_plan {
    const char *const *argv;        /* [0] is an absolute path; ends with NULL */
    const char *const *environment; /* all of it; ends with NULL */
    int fd; /* of the caller's, which the child has as BK__CHILD_FD; -1: none */
    bool
        pipes; /* its standard output is read from out_fd; else it is kept with its errors */
};
#define BK__CHILD_FD 3

struct bk__minder; /* the process between us and the program (child.c) */

struct bk__child {
    struct bk__minder *minder; /* NULL: it has ended */
    int out_fd;                /* of what it puts out, the caller's to close; -1: none */
    int said_fd;               /* read end of its standard output and error; -1: closed */
    struct bk__buf said;       /* what it said, or its beginning and its end */
    int status;                /* as waitpid() gives it, once it has ended; -1: unknown */
};
#define BK__CHILD_SAID 65536 /* bytes of it that are kept, about */

/* Its standard input is /dev/null, its output and error one pipe. 0 or -errno, of exec as well. */
int bk__child_start(struct bk__child *ret, const struct bk__child_plan *plan);

/* Listens for at most wait_ms. True when it has ended. */
bool bk__child_wait(struct bk__child *child, int wait_ms);

/* Asks it to end, kills it when it does not, waits for it. Nothing when it has ended. */
void bk__child_stop(struct bk__child *child);

/* Frees what was said; the child must have ended. */
void bk__child_free(struct bk__child *child);

#endif
