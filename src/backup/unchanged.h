/*
 * Whether the newest verified backup already holds what the database holds now, so that no other
 * one is made. Not for backups that somebody asked for. create.c calls it.
 */
#ifndef BK_BACKUP_UNCHANGED_H
#define BK_BACKUP_UNCHANGED_H

#include <stdbool.h>

#include <base/hash.h>
#include <backup/catalogue/manifest.h>

struct bk__job;
struct bk__make;
struct bk__set;
struct bk__set_store;

/* The newest verified backup, when it was made of these stores with these settings. */
struct bk__unchanged {
    char settings[BK__SHA256_HEX]; /* of what decides what a backup is, now */
    bool known;
    struct bk__manifest manifest; /* when known */
};

/* Kinds that are made without anybody asking for one. */
bool bk__unchanged_skips(const char *kind);

/* The stores are those that the backup is to hold; each learns the fingerprint that was noted of it.
   Never an error: what cannot be found out is not known, and then a backup is made. To be cleared. */
void bk__unchanged_load(struct bk__job *job, const char *dir,
                        const struct bk__make *request, struct bk__set *stores,
                        struct bk__unchanged *ret);
void bk__unchanged_clear(struct bk__unchanged *unchanged);

/* Does every store, open, say that nothing was committed since? Without reading any of them. */
bool bk__unchanged_by_fingerprint(const struct bk__unchanged *unchanged,
                                  struct bk__set *stores);
/* Of one store: is its fingerprint the noted one? */
bool bk__unchanged_is_noted(const struct bk__set_store *store);

#endif
