/*
 * The Redis driver's face: its table. Not how any of it works. api/tables.c includes it.
 */
#ifndef BK_STORE_REDIS_REDIS_H
#define BK_STORE_REDIS_REDIS_H

#include <store/store.h>

extern const struct bk__store_driver bk__redis_driver;

#endif
