/*
 * Packing a snapshot while it is still being made, on a thread of its own: two processors are busy
 * from the beginning. make.c begins it before the snapshot and takes what came of it.
 */
#ifndef BK_BACKUP_ARCHIVE_AHEAD_H
#define BK_BACKUP_ARCHIVE_AHEAD_H

#include <pthread.h>
#include <stdbool.h>

#include <backup/archive/archive.h>
#include <backup/archive/codec.h>
#include <store/growth.h>

struct bk__ahead {
    bool begun; /* else the rest means nothing */
    struct bk__growth growth;
    struct bk__job *job;
    struct bk__packing what;
    struct bk__coding coding;
    struct bk__archive_facts facts;
    int rc;
    char *text; /* the error's, because error texts belong to threads */
    pthread_t thread;
};

/* Begins, where a thread can be started: nothing depends on it. The paths and the coding's context
   must live on. */
void bk__ahead_begin(struct bk__ahead *ahead, struct bk__job *job, const char *image,
                     const char *archive, const struct bk__coding *coding);

/* Waits for it, after the growth was ended. 1: the archive is made, whole and flushed. 0: none was,
   pack in the usual way. Or an error, with its text set on this thread. What may have been written
   is the caller's to remove, unless 1. */
int bk__ahead_end(struct bk__ahead *ahead, struct bk__archive_facts *ret);

/* Gives it up and waits; what it wrote is the caller's to remove. Nothing is done twice. */
void bk__ahead_drop(struct bk__ahead *ahead);

#endif
