/*
 * The operations of this room, for api/tables.c. Not their code: snapshot.c.
 */
#ifndef BK_HEALTH_OPERATIONS_H
#define BK_HEALTH_OPERATIONS_H

#include <core/operation.h>

extern const struct bk__operation bk__health_operations[];

int bk__health_snapshot(struct bk__job *job);

#endif
