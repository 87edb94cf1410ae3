/*
 * The operations of this room, for api/tables.c. Their code: run.c.
 */
#ifndef BK_LIFECYCLE_OPERATIONS_H
#define BK_LIFECYCLE_OPERATIONS_H

#include <core/operation.h>

/* lifecycle.start, seen, stop (internal), status; a NULL name ends it. */
extern const struct bk__operation bk__lifecycle_operations[];

#endif
