/*
 * An ordered parallel map over blocks of bytes: the caller's thread fills and drains, workers
 * transform in between. Memory is bounded by the ring, whatever the data. archive.c calls it.
 */
#ifndef BK_BACKUP_PIPELINE_H
#define BK_BACKUP_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#define BK__PIPELINE_WORKERS 4 /* at most */
#define BK__PIPELINE_SLOTS 4   /* blocks on the way, hence memory: 4 times (in + out) */

/* One block's way through a worker: it reads in and writes out. */
struct bk__block {
    unsigned char *in;
    unsigned char *out;
    size_t in_size, out_room;
    size_t out_size; /* set by the work */
};

struct bk__pipeline {
    void *context;
    size_t in_room, out_room;

    /* On the caller's thread. fill: bytes put into in, 0 at the end, or an error < 0 with its text
       set; *ret_at is what blame is told of this block. drain takes the results in order. */
    int64_t (*fill)(void *context, unsigned char *in, int64_t *ret_at);
    int (*drain)(void *context, const unsigned char *out, size_t size);
    int (*blame)(void *context, int64_t at,
                 int why); /* sets the text; returns the error */

    /* On a worker. state is one worker's own. 0, or a reason that blame understands. */
    void *(*begin)(void);
    int (*work)(void *state, struct bk__block *block);
    void (*end)(void *state);
};

/* Runs to the end or the first error. Starts up to workers threads from the calling thread, so
   that they share its descriptor table; with none it works on the calling thread alone. */
int bk__pipeline_run(const struct bk__pipeline *plan, int workers);

#endif
