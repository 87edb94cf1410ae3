/*
 * Whether the newest verified backup already holds what the database holds now, so that no other
 * one is made. Not for backups that somebody asked for. create.c calls it.
 */
#ifndef BK_BACKUP_UNCHANGED_H
#define BK_BACKUP_UNCHANGED_H

#include <stdbool.h>

#include <base/hash.h>
#include <backup/catalogue/manifest.h>
#include <store/store.h>

struct bk__job;
struct bk__make;

/* What a backup was made of: kept in the record beside its name. */
struct bk__state {
    char settings[BK__SHA256_HEX]; /* of the options that decide what a backup is */
    char fingerprint[BK__FINGERPRINT_SIZE]; /* of the store; "": none */
};

/* The newest verified backup, when it was made of this database with these settings. */
struct bk__unchanged {
    struct bk__state now; /* settings alone are filled by bk__unchanged_load() */
    bool known;
    struct bk__manifest manifest; /* when known */
    char fingerprint[BK__FINGERPRINT_SIZE];
};

/* Kinds that are made without anybody asking for one. */
bool bk__unchanged_skips(const char *kind);

/* Never an error: what cannot be found out is not known, and then a backup is made. To be cleared. */
void bk__unchanged_load(struct bk__job *job, const char *dir,
                        const struct bk__make *request, struct bk__unchanged *ret);
void bk__unchanged_clear(struct bk__unchanged *unchanged);

/* Does the store say that nothing was committed since? Without reading the database. */
bool bk__unchanged_by_fingerprint(struct bk__unchanged *unchanged,
                                  struct bk__store *store);

#endif
