/*
 * store.save, for the table in store.c. Not the image's way here: core/job.h.
 */
#ifndef BK_STORE_SAVE_H
#define BK_STORE_SAVE_H

struct bk__job;

int bk__store_save(struct bk__job *job);

#endif
