/*
 * The run functions of this room's operations, for its table, and what they share.
 * operations.c lists them; nobody calls them directly.
 */
#ifndef BK_BACKUP_OPERATIONS_H
#define BK_BACKUP_OPERATIONS_H

struct bk__job;

int bk__backup_create(struct bk__job *job);
int bk__backup_list(struct bk__job *job);
int bk__backup_verify(struct bk__job *job);
int bk__backup_rehearse(struct bk__job *job);
int bk__backup_restore(struct bk__job *job);
int bk__backup_prune(struct bk__job *job);
int bk__backup_status(struct bk__job *job);
int bk__backup_apply(struct bk__job *job);
int bk__backup_adopt(struct bk__job *job);
int bk__backup_query(struct bk__job *job);
int bk__backup_extract(struct bk__job *job);
int bk__backup_key(struct bk__job *job);
int bk__backup_keys(struct bk__job *job);

#endif
