/*
 * The PostgreSQL driver, a database on a server reached by its URL. Not how it works: internal.h.
 * api/tables.c lists it.
 */
#ifndef BK_STORE_POSTGRES_POSTGRES_H
#define BK_STORE_POSTGRES_POSTGRES_H

#include <store/store.h>

extern const struct bk__store_driver bk__postgres_driver;

#endif
