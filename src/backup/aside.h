/*
 * One piece of work on a thread of its own, beside the caller's: the proof of a snapshot, packing it,
 * comparing its pages. Its error comes back to who waits for it.
 */
#ifndef BK_BACKUP_ASIDE_H
#define BK_BACKUP_ASIDE_H

#include <pthread.h>
#include <stdbool.h>

struct bk__aside {
    bool begun; /* and not ended */
    int (*work)(void *context);
    void *context;
    bool threaded; /* else it is done at the end */
    pthread_t thread;
    int rc;
    char *text; /* the error's, because error texts belong to threads */
};

/* name: of the thread. Where none can be started the work is done at the end. The context must
   live on, and the aside stay where it is. */
void bk__aside_begin(struct bk__aside *aside, const char *name, int (*work)(void *),
                     void *context);

/* Waits for it: what the work returned, with an error's text set on this thread. 0 where nothing
   was begun. */
int bk__aside_end(struct bk__aside *aside);

/* Waits for it too, where nobody cares for what came of it: no error is set. */
void bk__aside_drop(struct bk__aside *aside);

#endif
