/*
 * What verifying foreign backups found, kept in state.dir/foreign.json, because nothing of ours is
 * written beside them. foreign.c reads it, verify.c writes it.
 */
#ifndef BK_BACKUP_FOREIGN_MEMO_H
#define BK_BACKUP_FOREIGN_MEMO_H

#include <backup/foreign/foreign.h>

/* Fills state, format, error and time of those that are still the files that were looked at. */
int bk__memo_recall(struct bk__job *job, struct bk__foreigners *list);

/* Keeps these of the list, as they stand now. What cannot be saved is told in the log. */
void bk__memo_save(struct bk__job *job, const struct bk__foreigners *list);

#endif
