/*
 * Deleting what retention lets go, and nothing else.
 * Not the decision: retention.h. create.c, restore.c and backup.prune call it.
 */
#ifndef BK_BACKUP_PRUNE_H
#define BK_BACKUP_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include <backup/retention.h>

struct bk__folder;
struct bk__job;
struct json_object;

struct bk__prune {
    struct bk__rules rules;
    char pinned[BK__NAME_SIZE]; /* another name that stays in any case; "": none */
    bool dry_run;
    struct bk__job *job;
    const struct bk__folder *folder; /* locked; NULL with dry_run: nothing is rewritten */
    /* out */
    struct json_object *deleted;      /* a list of {name, bytes, reason}; the caller's */
    struct json_object *kept_because; /* the same of those that stay; the caller's */
    int64_t kept;
    int64_t freed_bytes;
};

/* dir is locked unless dry_run. What was deleted before an error is in the list. */
int bk__prune_folder(const char *dir, struct bk__prune *prune);

/* After a new backup: by the option backup.keep, sparing one; a failure is only told in the log,
   because the backup itself is good. The list of deleted {name, reason}, or NULL: none. */
struct json_object *bk__prune_after(struct bk__job *job, const struct bk__folder *folder,
                                    const char *spare);

#endif
