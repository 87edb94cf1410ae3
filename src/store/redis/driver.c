/*
 * The Redis driver's table, opening, and what Redis has no part in (migrations). Called through
 * store.h, always on a guest thread or in the helper: sockets are made nowhere else.
 */
#include <store/redis/redis.h>

#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <store/redis/internal.h>
#include <store/redis/mark.h>

static bool accepts(const char *database) {
    static const char *const starts[] = {"redis://",        "rediss://", "redis+unix://",
                                         "redis-socket://", "valkey://", "unix://"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (bk__text_starts(database, starts[i])) {
            return true;
        }
    }
    return false;
}

static int check(const char *database) {
    struct bk__redis_address address;
    int rc = bk__redis_address_parse(database, &address);

    if (rc == 0) {
        bk__redis_address_free(&address);
    }
    return rc;
}

static void close_store(struct bk__store *store) {
    struct bk__redis *redis = (struct bk__redis *)store;

    if (redis != NULL) {
        bk__redis_link_close(&redis->link);
        bk__redis_address_free(&redis->at);
        free(redis);
    }
}

static int open_store(struct bk__store **ret, struct bk__job *job, const char *database,
                      bool create) {
    struct bk__redis *redis = calloc(1, sizeof *redis);
    int rc;

    (void)create; /* a server is there or it is not */
    if (redis == NULL) {
        return bk__fail_memory();
    }
    redis->base.driver = &bk__redis_driver;
    redis->job = job;
    rc = bk__redis_address_parse(database, &redis->at);
    if (rc == 0) {
        rc = bk__redis_link_open(&redis->link, job, &redis->at);
    }
    if (rc != 0) {
        close_store(&redis->base);
        return rc;
    }
    bk__redis_mark_heed(redis);
    *ret = &redis->base;
    return 0;
}

/* ---- migrations ----------------------------------------------------------------------- */

static int no_scripts(void) {
    return bk__fail(BK_EUNSUPPORTED,
                    "Redis has no schema and runs no migrations. Nothing was touched. "
                    "Set the option database to the store that has one.");
}

static int begin(struct bk__store *store) {
    (void)store;
    return no_scripts();
}

static void rollback(struct bk__store *store) {
    (void)store;
}

static int script(struct bk__store *store, const char *sql, bool in_transaction,
                  struct bk__script_error *ret_error) {
    (void)store;
    (void)sql;
    (void)in_transaction;
    (void)ret_error;
    return no_scripts();
}

static int query(struct bk__store *store, const char *sql, struct json_object *parameters,
                 struct json_object *ret_rows) {
    (void)store;
    (void)sql;
    (void)parameters;
    (void)ret_rows;
    return no_scripts();
}

static int has_table(struct bk__store *store, const char *table) {
    (void)store;
    (void)table;
    return no_scripts();
}

const struct bk__store_driver bk__redis_driver = {
    .name = "redis",
    .content = "rdb",
    .accepts = accepts,
    .check = check,
    .open = open_store,
    .close = close_store,
    .probe = bk__redis_probe,
    .fingerprint = bk__redis_fingerprint,
    .snapshot = bk__redis_snapshot,
    .restore = bk__redis_restore,
    .ready = bk__redis_ready,
    .begin = begin,
    .commit = begin,
    .rollback = rollback,
    .script = script,
    .query = query,
    .has_table = has_table,
    .prove = bk__redis_prove,
    .replace = NULL,
};
