/*
 * A staged restore: verified images and an intent in state.dir, to be applied by the next
 * bk_open(). restore.c stages, apply.c applies, status.c looks.
 */
#ifndef BK_BACKUP_STAGE_H
#define BK_BACKUP_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/catalogue/name.h>
#include <base/hash.h>
#include <store/store.h>

struct bk__job;
struct bk__manifest;

/* What one store is to get. */
struct bk__staged {
    char store[16]; /* the option that names it: "database" */
    char image[64]; /* the image's file name in state.dir */
    int64_t bytes;  /* of the image */
    char sha256[BK__SHA256_HEX];
};

struct bk__stage {
    char name[BK__NAME_SIZE]; /* of the backup */
    struct bk__staged stores[BK__STORES];
    size_t count;
};

/* 1 and *ret when a restore waits, 0 when none does, BK_ECORRUPT when the intent cannot be
   understood. */
int bk__stage_load(struct bk__job *job, struct bk__stage *ret);

/* Takes the lock of staging and applying: a descriptor to close, or an error. */
int bk__stage_lock(struct bk__job *job);

/* Makes images and intent, in place of an earlier intent; sources[i] is the backup, or the part of
   the set, for stage->stores[i], of which the store is known. The stage's lock is held. */
int bk__stage_make(struct bk__job *job, const char *dir, struct bk__stage *stage,
                   const struct bk__manifest *const *sources);

/* An image's path; NULL: out of memory, text set. */
char *bk__stage_image(struct bk__job *job, const struct bk__staged *staged);

/* It was applied: the intent goes first, then the image. */
int bk__stage_done(struct bk__job *job);

/* It can never be applied: the intent is set aside so that the next start is a normal one. */
void bk__stage_reject(struct bk__job *job);

#endif
