/*
 * The store room's operations, for the table in api/tables.c.
 * Not what a store is: that stands in store.h.
 */
#ifndef BK_STORE_OPERATIONS_H
#define BK_STORE_OPERATIONS_H

#include <core/operation.h>

/* store.probe and store.save; a NULL name ends it. */
extern const struct bk__operation bk__store_operations[];

#endif
