/*
 * The two lists that say what is in this build: operations, room by room, and store drivers. Each
 * room's table is its own; nothing else names them all. core/operation.c and store read it.
 */
#include <stddef.h>

#include <backup/backup.h>
#include <core/operation.h>
#include <doctor/operations.h>
#include <health/operations.h>
#include <lifecycle/operations.h>
#include <migrate/operations.h>
#include <store/operations.h>
#include <store/postgres/postgres.h>
#include <store/redis/redis.h>
#include <store/sqlite/sqlite.h>
#include <store/store.h>

const struct bk__operation *const bk__operation_lists[] = {
    bk__backup_operations,
    bk__migrate_operations,
    bk__health_operations,
    bk__lifecycle_operations,
    bk__doctor_operations,
    bk__store_operations,
    NULL, /* on a line of its own, so that each room adds a line */
};

const struct bk__store_driver *const bk__store_drivers[] = {
    &bk__redis_driver,
    &bk__sqlite_driver,
    &bk__postgres_driver,
    NULL,
};
