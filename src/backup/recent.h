/*
 * Whether a backup is young enough to do for another one of its kind: what keeps a bot that starts
 * again and again from making one each time. create.c asks, under the folder's lock.
 */
#ifndef BK_BACKUP_RECENT_H
#define BK_BACKUP_RECENT_H

#include <backup/catalogue/manifest.h>

struct bk__job;

/* 1 and *ret (to be cleared) is the newest of the job's kind, verified and younger than the job's
   gap; 0: there is none; or an error. */
int bk__recent_find(struct bk__job *job, const char *dir, struct bk__manifest *ret);

#endif
