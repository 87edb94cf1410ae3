/*
 * The backup room's face: its operations, and the sign that a staged restore waits.
 * Not how any of it works. api/tables.c and api/open.c include it.
 */
#ifndef BK_BACKUP_BACKUP_H
#define BK_BACKUP_BACKUP_H

#include <core/operation.h>

extern const struct bk__operation bk__backup_operations[]; /* ended by a NULL name */

/* The file in state.dir whose presence says that a staged restore waits for backup.apply. */
#define BK__BACKUP_INTENT "restore.json"

#endif
