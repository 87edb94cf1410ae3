/*
 * Making a backup of changes whole again, so that what it was made of can go.
 * prune.c calls it between its decision and its deletions.
 */
#ifndef BK_BACKUP_CONSOLIDATE_H
#define BK_BACKUP_CONSOLIDATE_H

#include <backup/retention.h>

struct bk__catalogue;
struct bk__folder;
struct bk__job;

/* Where more backups stay for nothing but others' sake than backup.deltas allows: the oldest of those
   others. NULL: nothing is to be made whole. */
struct bk__retain *bk__consolidate_choose(struct bk__job *job, struct bk__retain *items,
                                          size_t count);

/*
 * The one that bk__consolidate_choose() names is rewritten as a full one: the same stem, sequence
 * and time, published before the old archive goes. 1: one was, so that everything is to be decided anew; 0: none, also after a failure,
 * which is told in the log: then the bases stay.
 */
int bk__consolidate(struct bk__job *job, const struct bk__folder *folder,
                    const struct bk__catalogue *catalogue, struct bk__retain *items);

#endif
