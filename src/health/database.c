/*
 * The database part of a snapshot: what store.probe reports, judged and kept on the board. Not the
 * probing (the store's driver does it, on a guest thread or in the helper). snapshot.c calls it.
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

static struct bk__finding judge(struct bk__job *job, struct json_object *report,
                                char *text, size_t size) {
    int64_t limit = bk__config_int(bk__job_config(job), BK__OPT_HEALTH_DB_SIZE) * MB;
    if (!bk__json_bool(report, "same_file", true)) {
        return (struct bk__finding){
            "database", BK__UNHEALTHY, "database_replaced",
            "The database file was replaced or removed while it is open", NULL};
    }
    struct json_object *client = bk__json_member(report, "client");
    if (client && !bk__json_bool(client, "ok", true)) {
        snprintf(text, size, "%s", bk__json_text(client, "error", "pg_dump is missing"));
        return (struct bk__finding){"database", BK__DEGRADED, "database_tools", text,
                                    NULL};
    }
    if (bk__json_number(report, "response_ms", 0) > SLOW_MS) {
        return (struct bk__finding){"database", BK__DEGRADED, "database_slow",
                                    "Database response time slow (>1s)", NULL};
    }
    if (bk__json_int(report, "bytes", 0) > limit) {
        snprintf(text, size, "The database is larger than %lld MB",
                 (long long)(limit / MB));
        return (struct bk__finding){"database", BK__DEGRADED, "database_large", text,
                                    NULL};
    }
    return (struct bk__finding){"database", BK__HEALTHY, NULL, "The database answers",
                                NULL};
}

/* The report's members, as the board wants them: the object's text without its braces. */
static int keep(struct bk__job *job, const struct bk__finding *finding,
                struct json_object *section) {
    struct bk__health_board *board = bk__health_board_of(bk__job_keeper(job));
    char *text = bk__json_print(section);
    if (!text) {
        return bk__fail_memory();
    }
    size_t length = strlen(text);
    text[length - 1] = '\0';
    int error = bk__health_board_probe(board, finding, text + 1, bk__job_mono(job));
    free(text);
    return error;
}

static int keep_failure(struct bk__job *job, int code) {
    char text[512];
    snprintf(text, sizeof text, "Database connection failed: %s", bk__error_text());
    struct bk__finding finding = {"database", BK__UNHEALTHY, "database_failed", text,
                                  NULL};
    struct json_object *section = bk__json_object();
    int error = BK_ENOMEM;
    if (section && bk__json_add_bool(section, "connected", false) &&
        bk__json_add_text(section, "error", bk_error_name(code))) {
        error = keep(job, &finding, section);
    }
    json_object_put(section);
    return error == BK_ENOMEM ? bk__fail_memory() : error;
}

int bk__health_probe(struct bk__job *job) {
    if (!*bk__config_text(bk__job_config(job), BK__OPT_DATABASE)) {
        return 0;
    }
    struct json_object *report = NULL;
    int error = bk__job_call(job, "store.probe", NULL, &report);
    if (error == BK_ECANCELLED || error == BK_ENOMEM) {
        return error;
    }
    if (error) {
        return keep_failure(job, error);
    }
    char text[512];
    struct bk__finding finding = judge(job, report, text, sizeof text);
    error = bk__json_add_bool(report, "connected", true) ? keep(job, &finding, report)
                                                         : bk__fail_memory();
    json_object_put(report);
    return error;
}
