/*
 * Deleting one backup, in whatever form it is kept. Not deciding which: retention.h.
 * Called by prune.c and consolidate.c, under the folder's lock.
 */
#ifndef BK_BACKUP_REMOVE_H
#define BK_BACKUP_REMOVE_H

/* Removes one backup: archive first, so that a crash leaves no archive that looks whole; a set's
   folder loses its name first. */
int bk__remove_backup(const char *dir, const char *name);

#endif
