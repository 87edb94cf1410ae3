/*
 * The proof of an image on a thread of its own, beside the compression.
 * Not what is proven: that is the driver's. make.c begins and ends it.
 */
#ifndef BK_BACKUP_PROOF_H
#define BK_BACKUP_PROOF_H

#include <pthread.h>
#include <stdbool.h>

struct bk__job;
struct bk__store_driver;
struct json_object;

struct bk__proof {
    struct bk__job *job;
    const struct bk__store_driver *driver;
    const char *image;
    struct json_object *report; /* {page_size, pages, bytes, tables} once it ended well */
    int rc;
    char *text; /* the error's, because error texts belong to threads */
    pthread_t thread;
    bool threaded;
};

/* Begins the proof; where no thread can be started it runs at the end. image must live on. */
int bk__proof_begin(struct bk__proof *proof, struct bk__job *job,
                    const struct bk__store_driver *driver, const char *image);

/* Waits for it. 0, or its error with the text set on this thread. */
int bk__proof_end(struct bk__proof *proof);
void bk__proof_free(struct bk__proof *proof);

#endif
