/*
 * Whether a new backup can hold only what changed, and since which one. make.c asks, with the
 * snapshot beside its proof, and says afterwards what became of it.
 */
#ifndef BK_BACKUP_DELTA_DIFFER_H
#define BK_BACKUP_DELTA_DIFFER_H

#include <stdbool.h>

#include <base/hash.h>

struct bk__folder;
struct bk__job;
struct bk__manifest;
struct bk__pages;

struct bk__differ {
    struct bk__job *job;
    const struct bk__folder *folder;
    const char *image;          /* the snapshot */
    const char *store;          /* the driver's name */
    struct bk__manifest *facts; /* sizes, form and encryption are known */
    /* out, when the facts have payload_bytes: what is to be packed */
    char *payload;
    char payload_sha256[BK__SHA256_HEX];
    /* its own */
    struct bk__pages *pages;
};

/* Do the options want backups of changes? And is there one to which there might be changes? */
bool bk__differ_is_wanted(struct bk__job *job);
bool bk__differ_is_likely(struct bk__job *job);

/* Reads the image, when the option backup.deltas wants it: the facts get the image's SHA-256, and all
   that makes a backup of changes where one is worth having. */
int bk__differ_find(struct bk__differ *differ);

/* The backup was published: from now on changes are changes to it. */
void bk__differ_keep(struct bk__differ *differ);
void bk__differ_drop(struct bk__differ *differ); /* {0} is fine; removes what it made */

#endif
