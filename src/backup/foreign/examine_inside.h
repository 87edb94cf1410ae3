/*
 * What examine.c (one file) and members.c (a set of them) share. Nobody else includes it.
 */
#ifndef BK_BACKUP_FOREIGN_EXAMINE_INSIDE_H
#define BK_BACKUP_FOREIGN_EXAMINE_INSIDE_H

#include <stdbool.h>

#include <backup/foreign/examine.h>

/* One file that is looked at: the foreign one itself, or a member of it. */
struct bk__look_at {
    struct bk__job *job;
    const struct bk__scratch *scratch;
    const struct bk__foreign *foreign;
    const char *name; /* for texts */
    char *raw;        /* where its plain bytes are, or go */
    bool in_set;
    struct bk__examined *ret;
};

/* BK_ECORRUPT, BK_EUNSUPPORTED, with a text that names the backup and says why. */
int bk__examine_torn(const struct bk__look_at *at, const char *why);
int bk__examine_unsupported(const struct bk__look_at *at, const char *why);

/* Keeps the first note. */
int bk__examine_note(struct bk__look_at *at, const char *text);

int bk__examine_file(struct bk__look_at *at); /* from its path */

int bk__examine_set(struct bk__look_at *at); /* a folder */
int bk__examine_tar(struct bk__look_at *at); /* the same as tar in at->raw */

#endif
