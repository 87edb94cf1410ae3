/*
 * The stores' part of a snapshot: what store.probe reports of each, judged and kept on the board.
 * Not the probing (a store's driver does it, on a guest thread or in the helper). snapshot.c calls it.
 */
#include <health/measure.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/operations.h>

#define SLOW_MS 1000
#define MB 1048576
#define FULL_PERCENT 90

/* One store, what was told of it, and where the words about it are built. */
struct look {
    struct bk__job *job;
    enum bk__health_store store;
    const char *option; /* which is its check's name, too */
    const char *what;
    struct json_object *report;
    char code[32];
    char text[512];
};

static bool is_off(const struct look *look, const char *member) {
    return !bk__json_bool(look->report, member, true);
}

static bool has_no_tools(struct look *look) {
    struct json_object *client = bk__json_member(look->report, "client");
    snprintf(look->text, sizeof look->text, "%s",
             bk__json_text(client, "error", "pg_dump is missing"));
    return client && !bk__json_bool(client, "ok", true);
}

static bool is_large(struct look *look) {
    int64_t limit = bk__config_int(bk__job_config(look->job), BK__OPT_HEALTH_DB_SIZE);
    snprintf(look->text, sizeof look->text, "The database is larger than %lld MB",
             (long long)limit);
    return look->store == BK__HEALTH_DATABASE &&
           bk__json_int(look->report, "bytes", 0) > limit * MB;
}

/* A server that drops keys when its memory is full is meant to be full. */
static bool is_full(struct look *look) {
    int64_t limit = bk__json_int(look->report, "memory_limit_bytes", 0);
    double percent =
        limit > 0 ? 100.0 * bk__json_number(look->report, "bytes", 0) / (double)limit : 0;
    snprintf(look->text, sizeof look->text,
             "%.0f %% of Redis' maxmemory are used; when it is full, writes are refused",
             percent);
    return percent > FULL_PERCENT && is_off(look, "evicts");
}

static struct bk__finding find(struct look *look, enum bk__level level, const char *code,
                               const char *text) {
    snprintf(look->code, sizeof look->code, "%s_%s", look->option, code);
    return (struct bk__finding){look->option, level, look->code, text, NULL};
}

static struct bk__finding judge_server(struct look *look) {
    if (bk__json_bool(look->report, "loading", false)) {
        return find(look, BK__DEGRADED, "loading",
                    "The Redis server is still loading its data");
    }
    if (is_off(look, "master_link")) {
        return find(look, BK__DEGRADED, "link_down",
                    "The Redis server is a replica that has lost its master");
    }
    if (is_off(look, "save_ok")) {
        return find(look, BK__DEGRADED, "save_failed",
                    "The last save of the Redis server failed; it may refuse writes");
    }
    if (is_full(look)) {
        return find(look, BK__DEGRADED, "memory_high", look->text);
    }
    return (struct bk__finding){look->option, BK__HEALTHY, NULL, look->text, NULL};
}

static struct bk__finding judge(struct look *look) {
    if (is_off(look, "same_file")) {
        return find(look, BK__UNHEALTHY, "replaced",
                    "The database file was replaced or removed while it is open");
    }
    if (has_no_tools(look)) {
        return find(look, BK__DEGRADED, "tools", look->text);
    }
    struct bk__finding finding = judge_server(look);
    if (finding.level != BK__HEALTHY) {
        return finding;
    }
    if (bk__json_number(look->report, "response_ms", 0) > SLOW_MS) {
        snprintf(look->text, sizeof look->text, "%s response time slow (>1s)",
                 look->what);
        return find(look, BK__DEGRADED, "slow", look->text);
    }
    if (is_large(look)) {
        return find(look, BK__DEGRADED, "large", look->text);
    }
    finding.message = look->store == BK__HEALTH_REDIS ? "The Redis server answers"
                                                      : "The database answers";
    return finding;
}

/* The report's members, as the board wants them: the object's text without its braces. */
static int keep(struct look *look, const struct bk__finding *finding,
                struct json_object *section) {
    struct bk__health_board *board = bk__health_board_of(bk__job_keeper(look->job));
    char *text = bk__json_print(section);
    if (!text) {
        return bk__fail_memory();
    }
    size_t length = strlen(text);
    text[length - 1] = '\0';
    int error = bk__health_board_probe(board, look->store, finding, text + 1,
                                       bk__job_mono(look->job));
    free(text);
    return error;
}

static int keep_failure(struct look *look, int code) {
    snprintf(look->text, sizeof look->text, "%s connection failed: %s", look->what,
             bk__error_text());
    struct bk__finding finding = find(look, BK__UNHEALTHY, "failed", look->text);
    struct json_object *section = bk__json_object();
    int error = BK_ENOMEM;
    if (section && bk__json_add_bool(section, "connected", false) &&
        bk__json_add_text(section, "error", bk_error_name(code))) {
        error = keep(look, &finding, section);
    }
    json_object_put(section);
    return error == BK_ENOMEM ? bk__fail_memory() : error;
}

static int probe(struct look *look) {
    struct json_object *args = bk__json_object();
    if (!args || !bk__json_add_text(args, "store", look->option)) {
        json_object_put(args);
        return bk__fail_memory();
    }
    int error = bk__job_call(look->job, "store.probe", args, &look->report);
    if (error == BK_ECANCELLED || error == BK_ENOMEM) {
        return error;
    }
    if (error) {
        return keep_failure(look, error);
    }
    struct bk__finding finding = judge(look);
    error = bk__json_add_bool(look->report, "connected", true)
                ? keep(look, &finding, look->report)
                : bk__fail_memory();
    json_object_put(look->report);
    return error;
}

int bk__health_probe(struct bk__job *job) {
    struct look looks[BK__HEALTH_STORES] = {
        {.store = BK__HEALTH_DATABASE, .option = "database", .what = "Database"},
        {.store = BK__HEALTH_REDIS, .option = "redis", .what = "Redis"}};
    static const enum bk__option options[BK__HEALTH_STORES] = {BK__OPT_DATABASE,
                                                               BK__OPT_REDIS};
    int error = 0;
    for (int i = 0; error == 0 && i < BK__HEALTH_STORES; i++) {
        looks[i].job = job;
        if (*bk__config_text(bk__job_config(job), options[i])) {
            error = probe(&looks[i]);
        }
    }
    return error;
}
