/*
 * Whether a new backup can hold only what changed, and since which one: found out beside the
 * snapshot, while it is made. making.c asks, and says afterwards what became of it.
 */
#ifndef BK_BACKUP_DELTA_DIFFER_H
#define BK_BACKUP_DELTA_DIFFER_H

#include <stdbool.h>

#include <backup/aside.h>
#include <backup/catalogue/name.h>
#include <backup/delta/changes.h>

struct bk__folder;
struct bk__growth;
struct bk__job;
struct bk__manifest;
struct bk__pages;

struct bk__differ {
    /* given; all of it must live on */
    struct bk__job *job;
    const struct bk__folder *folder;
    const char *store; /* the driver's name */
    const char *image; /* the snapshot */
    struct bk__growth *growth;
    const struct bk__manifest *facts; /* how it will be encrypted */
    /* found */
    struct bk__aside aside;
    struct bk__pages *pages; /* NULL: there are none to be known */
    struct bk__changes changes;
    char parent[BK__NAME_SIZE];
    int chain;
    char *payload; /* the file of what changed */
};

/* Do the options want backups of changes? And is there one to which there might be changes? */
bool bk__differ_is_wanted(struct bk__job *job);
bool bk__differ_is_likely(struct bk__job *job);

/* Reads the image along. At the end the facts, whose sizes are known by now, get the image's SHA-256,
   and all that makes a backup of changes where one is worth having. 0 where nothing was begun. */
void bk__differ_begin(struct bk__differ *differ);
int bk__differ_end(struct bk__differ *differ, struct bk__manifest *facts);

/* The backup was published: from now on changes are changes to it. */
void bk__differ_keep(struct bk__differ *differ, const struct bk__manifest *facts);

/* {0} is fine; waits, and removes what it made. Who drops it early gives the growth up before. */
void bk__differ_drop(struct bk__differ *differ);

#endif
