/*
 * The quick look at a server for health: INFO, asked once. It changes nothing. The operation
 * store.probe.
 */
#include <store/redis/internal.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
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

/* Where a field is missing, as in servers that are no Redis, nothing is wrong. */
static bool is_not(const char *info, const char *field, const char *bad) {
    char text[16];

    bk__redis_info_text(info, field, text, sizeof text);
    return strcmp(text, bad) != 0;
}

static bool is_saved(const char *info) {
    return is_not(info, "rdb_last_bgsave_status", "err") &&
           is_not(info, "aof_last_bgrewrite_status", "err") &&
           is_not(info, "aof_last_write_status", "err");
}

/* What a bot's owner wants to be told before it hurts. */
static bool fill_state(struct json_object *report, const char *info) {
    int64_t saved = bk__redis_info_int(info, "rdb_last_save_time");
    int64_t changes = bk__redis_info_int(info, "rdb_changes_since_last_save");
    int64_t limit = bk__redis_info_int(info, "maxmemory");
    char stamp[BK__STAMP_SIZE] = "";

    if (saved > 0) {
        bk__stamp_iso(saved * 1000, stamp);
    }
    if (!is_not(info, "role", "slave") &&
        !bk__json_add_bool(report, "master_link",
                           is_not(info, "master_link_status", "down"))) {
        return false;
    }
    return bk__json_add_bool(report, "loading", bk__redis_info_is_loading(info)) &&
           bk__json_add_bool(report, "save_ok", is_saved(info)) &&
           bk__json_add_text(report, "last_save_at", stamp) &&
           bk__json_add_int(report, "unsaved_changes", at_least_zero(changes)) &&
           bk__json_add_int(report, "memory_limit_bytes", at_least_zero(limit)) &&
           bk__json_add_bool(report, "evicts",
                             is_not(info, "maxmemory_policy", "noeviction"));
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
         !fill_common(ret_report, redis, info) || !fill_own(ret_report, info) ||
         !fill_state(ret_report, info))) {
        rc = bk__fail_memory();
    }
    free(info);
    return rc;
}
