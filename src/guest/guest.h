/*
 * Guest access: threads with their own descriptor table, hence their own file locks, in
 * the host's process; where a machine refuses that, a helper process. api/open.c chooses
 * and starts them.
 */
#ifndef BK_GUEST_GUEST_H
#define BK_GUEST_GUEST_H

#include <pthread.h>

struct bk__job;

enum bk__guest_mode {
    BK__GUEST_THREAD,  /* guest threads, proven on this machine by the self-test */
    BK__GUEST_PROCESS, /* plain threads that hand each store operation to the helper
                          program */
    BK__GUEST_OWN,     /* plain threads; the process is ours alone (the helper itself) */
};

/*
 * Chooses how this process may touch a store. wish is the option guest.isolation; the
 * environment variable BOTKEEP_TEST_ISOLATION ("thread-fails", "process-fails",
 * "all-fail") lets tests force each path. scratch_dir is a folder of ours for the
 * self-test's file. BK_EISOLATION where nothing is safe. *ret_why (may be NULL) is a text the caller frees:
 * why this mode and not a better one.
 */
int bk__guest_choose(const char *wish, const char *scratch_dir,
                     enum bk__guest_mode *ret_mode, char **ret_why);
const char *bk__guest_mode_name(enum bk__guest_mode mode); /* "thread" "process" "own" */

/*
 * Starts a thread in that mode. In BK__GUEST_THREAD it belongs to the process's one guest
 * table: all guest threads of all keepers share it, because our one SQLite must see one
 * lock owner. 0, or -errno (-ESRCH in a forked child, which has no guest threads).
 */
int bk__guest_start(enum bk__guest_mode mode, pthread_t *ret, const char *name,
                    void *(*entry)(void *), void *arg);

/* A thread of the guest table whatever the mode, for a descriptor that no fork may copy: 0, or
   -errno where the machine cannot. */
int bk__guest_start_apart(pthread_t *ret, const char *name, void *(*entry)(void *),
                          void *arg);

/*
 * Process mode: runs the job's operation in the helper program, passing its progress,
 * logs and result on, and cancelling it when the job is cancelled. Options go over a
 * pipe, never argv.
 */
int bk__guest_relay(struct bk__job *job);

#endif
