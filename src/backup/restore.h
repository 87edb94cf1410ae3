/*
 * Putting verified images into the bot's stores, after saving what is there.
 * Not where the images come from. restore.c and apply.c share it.
 */
#ifndef BK_BACKUP_RESTORE_H
#define BK_BACKUP_RESTORE_H

#include <stdbool.h>
#include <stddef.h>

#include <backup/catalogue/name.h>
#include <store/store.h>

struct bk__folder;
struct bk__job;
struct bk__manifest;

/* One store and what it gets. */
struct bk__restoring {
    struct bk__store_site site;
    char *image; /* the path of a verified file; freed by bk__restore_clear() */
    /* out */
    char *kept; /* what of the old state was set aside, or NULL; freed likewise */
    bool keeps; /* it is the store that kept it, whole */
    bool replaced;
    bool done;
};

struct bk__restore {
    const char *name; /* of the backup, which retention spares */
    bool may_replace; /* a database that does not open may be replaced as a file */
    struct bk__restoring stores[BK__STORES];
    size_t count;
    /* out */
    char pre_restore[BK__NAME_SIZE]; /* "" when there was nothing sound to save */
};

/* The keeper's store that a backup, or a part of a set, belongs into; store: the one asked for, or
   NULL. BK_EUNSUPPORTED: it has none of that kind; BK_EINVAL: it has two, and none was asked for. */
int bk__restore_site(struct bk__job *job, const struct bk__manifest *manifest,
                     const char *store, struct bk__store_site *ret);

/* Each store is opened, then a safety backup is made of all, then one after the other gets its
   image: as one transaction, or as a file where the database does not open. The folder is locked.
   BK_EPARTIAL: some are restored and one failed; the text tells which, and what to do. */
int bk__restore_stores(struct bk__job *job, const struct bk__folder *folder,
                       struct bk__restore *restore);
void bk__restore_clear(struct bk__restore *restore);

#endif
