/*
 * The guest root: the one thread of this process that owns a descriptor table apart from
 * the host's, and starts every guest thread. Not a thread pool: threads it starts are
 * their own. guest.c and selftest.c call it.
 */
#ifndef BK_GUEST_ROOT_H
#define BK_GUEST_ROOT_H

#include <stdbool.h>
#include <pthread.h>

/* Notes this process as the one that uses this room. False in a process forked from one
   that did before: there is no root thread here, and what our SQLite remembers of locks
   is the parent's. */
bool bk__guest_root_claim(void);

/* Starts the root unless it runs. 0, or -errno: -ESRCH in a forked child, else what the
   kernel says to a descriptor table of our own (-ENOSYS, -EPERM) or to one more thread
   (-EAGAIN). */
int bk__guest_root_ready(void);

/* Starts a thread in the root's descriptor table; the root must be ready. 0 or -errno. */
int bk__guest_root_thread(pthread_t *ret, const char *name, void *(*entry)(void *),
                          void *arg);

/* Runs one function on a guest thread and waits for its end. 0 or -errno. */
int bk__guest_root_call(void *(*entry)(void *), void *arg);

#endif
