/*
 * An ordered parallel map over blocks of bytes: the caller's thread fills and drains, workers
 * transform in between. Memory is bounded by the ring, whatever the data. archive.c calls it.
 */
#ifndef BK_BACKUP_ARCHIVE_PIPELINE_H
#define BK_BACKUP_ARCHIVE_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#define BK__PIPELINE_WORKERS 4 /* at most */
#define BK__PIPELINE_SLOTS 4   /* blocks on the way, hence memory: 4 times (in + out) */

/* One block's way through a worker: it reads in and writes out, which are of the same size and may
   change places. */
struct bk__block {
    unsigned char *in;
    unsigned char *out;
    size_t room; /* bytes of each */
    size_t in_size;
    size_t out_size; /* set by the work */
    uint64_t index;  /* from 0 */
    int64_t at;      /* set by fill: where it begins, for error texts */
};

struct bk__pipeline {
    void *context;
    size_t room; /* the largest block, in or out */

    /* On the caller's thread. fill: puts bytes into block->in (it may be none) and returns 1; 0 at
       the end, or an error < 0 with its text set. drain takes the results in order. blame sets the
       text for work's reason and returns the error. */
    int (*fill)(void *context, struct bk__block *block);
    int (*drain)(void *context, const struct bk__block *block);
    int (*blame)(void *context, const struct bk__block *block, int why);

    /* begin and end on the caller's thread, work on a worker. A state is one worker's own; NULL:
       out of memory. work: 0, or a reason that blame understands. */
    void *(*begin)(void *context);
    int (*work)(void *state, struct bk__block *block);
    void (*end)(void *state);
};

/* Runs to the end or the first error. Starts up to workers threads from the calling thread, so
   that they share its descriptor table; with none it works on the calling thread alone. */
int bk__pipeline_run(const struct bk__pipeline *plan, int workers);

#endif
