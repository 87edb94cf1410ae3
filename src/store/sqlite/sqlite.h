/*
 * The SQLite driver's one public name inside the library. Not what the driver is made of:
 * internal.h is. api/tables.c lists it.
 */
#ifndef BK_STORE_SQLITE_SQLITE_H
#define BK_STORE_SQLITE_SQLITE_H

#include <store/store.h>

extern const struct bk__store_driver bk__sqlite_driver;

#endif
