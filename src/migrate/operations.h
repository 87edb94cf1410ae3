/*
 * The operations of this room, for api/tables.c. Not their code: up.c and status.c.
 */
#ifndef BK_MIGRATE_OPERATIONS_H
#define BK_MIGRATE_OPERATIONS_H

#include <core/operation.h>

extern const struct bk__operation bk__migrate_operations[];

#endif
