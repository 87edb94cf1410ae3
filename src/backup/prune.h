/*
 * Deleting what retention lets go, and nothing else.
 * Not the decision: retention.h. create.c, restore.c and backup.prune call it.
 */
#ifndef BK_BACKUP_PRUNE_H
#define BK_BACKUP_PRUNE_H

struct bk__folder;
struct bk__job;
struct json_object;

/* After a new backup: by the option backup.keep, sparing one; a failure is only told in the log,
   because the backup itself is good. The list of deleted {name, reason}, or NULL: none. */
struct json_object *bk__prune_after(struct bk__job *job, const struct bk__folder *folder,
                                    const char *spare);

#endif
