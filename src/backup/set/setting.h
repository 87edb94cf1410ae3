/*
 * One set on its way, as set.c and set_facts.c share it. Nobody else includes it.
 */
#ifndef BK_BACKUP_SET_SETTING_H
#define BK_BACKUP_SET_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include <backup/catalogue/folder.h>
#include <backup/catalogue/manifest.h>
#include <backup/make.h>
#include <backup/set/set.h>

/* One set on its way. */
struct bk__setting {
    struct bk__job *job;
    const struct bk__folder *folder;
    const struct bk__make *request;
    struct bk__set_store *stores;
    size_t count;
    bool whole, tar;
    struct bk__folder inside; /* the unfinished folder, without a lock of its own */
    struct bk__manifest facts;
    struct bk__make requests[BK__STORES];
    char stems[BK__STORES][BK__NAME_SIZE];
    struct bk__making *making[BK__STORES];
    int64_t began, packing; /* monotonic */
};

/* "redis: WHY" of each store that failed; the caller frees. NULL: out of memory. */
char *bk__setting_failed(const struct bk__setting *s);

/* Completes what the manifest says: the parts that were packed are in it. */
int bk__setting_facts(struct bk__setting *s);

#endif
