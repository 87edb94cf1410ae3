/*
 * The files and folders that look like backups of other tools. Not their order, and not what is known
 * of them: foreign.h. foreign.c and members.c call it.
 */
#ifndef BK_BACKUP_FOREIGN_SCAN_H
#define BK_BACKUP_FOREIGN_SCAN_H

#include <backup/foreign/foreign.h>

/* Adds those in dir, in its folders, and beside the database (NULL: it is no file). What it adds is to
   be freed also when it fails. */
int bk__foreign_scan(const char *dir, const char *database,
                     const struct bk__catalogue *ours, struct bk__foreigners *list);

/* A member of a set, which is no backup of its own. False: it is none, or memory ran out. */
bool bk__foreign_member(const char *dir, const char *name, struct bk__foreign *ret);

#endif
