/*
 * The quick look at a server for health: INFO, asked once. It changes nothing. The operation
 * store.probe.
 */
#include <store/redis/internal.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <os/clock.h>

static int64_t at_least_zero(int64_t value) {
    return value < 0 ? 0 : value;
}

/* What would be left after a crash of the server. */
static const char *persistence_of(const char *info) {
    return bk__redis_info_int(info, "aof_enabled") == 1 ? "aof" : "rdb";
}

static bool add_text(struct json_object *report, const char *name, const char *info,
                     const char *field) {
    char text[64];

    bk__redis_info_text(info, field, text, sizeof text);
    return bk__json_add_text(report, name, text);
}

static int64_t sum_of(struct json_object *keys) {
    int64_t sum = 0;

    json_object_object_foreach(keys, name, value) {
        (void)name;
        sum += json_object_get_int64(value);
    }
    return sum;
}

/* What every store tells; what a store of files alone has is 0 or true. */
static bool fill_common(struct json_object *report, const struct bk__redis *redis,
                        const char *info) {
    int64_t bytes = bk__redis_info_int(info, "used_memory");

    return bk__json_add_text(report, "path", redis->at.shown) &&
           bk__json_add_int(report, "bytes", at_least_zero(bytes)) &&
           bk__json_add_int(
               report, "wal_bytes",
               at_least_zero(bk__redis_info_int(info, "aof_current_size"))) &&
           bk__json_add_int(report, "page_size", 0) &&
           bk__json_add_int(report, "pages", 0) &&
           bk__json_add_text(report, "journal_mode", persistence_of(info)) &&
           bk__json_add_int(report, "schema_version", 0) &&
           bk__json_add_bool(report, "same_file", true);
}

static bool fill_own(struct json_object *report, const char *info) {
    struct json_object *keys = bk__redis_info_keys(info);

    return keys != NULL && bk__json_add_int(report, "keys", sum_of(keys)) &&
           bk__json_add_int(report, "tables", json_object_object_length(keys)) &&
           bk__json_put(report, "databases", keys) &&
           add_text(report, "server_version", info, "redis_version") &&
           add_text(report, "role", info, "role") &&
           add_text(report, "mode", info, "redis_mode");
}

int bk__redis_probe(struct bk__store *store, struct json_object *ret_report) {
    struct bk__redis *redis = (struct bk__redis *)store;
    int64_t began = bk__clock_mono();
    char *info = NULL;
    int rc = bk__redis_info(&redis->link, "everything", &info);

    if (rc == 0 &&
        (!bk__json_add_int(ret_report, "response_ms", bk__clock_mono() - began) ||
         !fill_common(ret_report, redis, info) || !fill_own(ret_report, info))) {
        rc = bk__fail_memory();
    }
    free(info);
    return rc;
}
