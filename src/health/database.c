/*
 * The database part of a snapshot: what store.probe reports, judged. Not the probing (the
 * store's driver does it, on a guest thread or in the helper). snapshot.c calls it.
 */
#include <health/measure.h>

#include <stdio.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <health/level.h>

#define SLOW_MS 1000
#define MB 1048576

static struct bk__finding judge_report(struct bk__job *job, struct json_object *report,
                                       char *text, size_t size) {
    int64_t limit = bk__config_int(bk__job_config(job), BK__OPT_HEALTH_DB_SIZE) * MB;
    int64_t bytes = bk__json_int(report, "bytes", 0);
    if (!bk__json_bool(report, "same_file", true)) {
        return (struct bk__finding){
            "database", BK__UNHEALTHY, "database_replaced",
            "The database file was replaced or removed while it is open"};
    }
    if (bk__json_number(report, "response_ms", 0) > SLOW_MS) {
        return (struct bk__finding){"database", BK__DEGRADED, "database_slow",
                                    "Database response time slow (>1s)"};
    }
    if (bytes > limit) {
        snprintf(text, size, "The database is larger than %lld MB",
                 (long long)(limit / MB));
        return (struct bk__finding){"database", BK__DEGRADED, "database_large", text};
    }
    return (struct bk__finding){"database", BK__HEALTHY, NULL, "The database answers"};
}

static int add_section(struct bk__job *job, struct json_object *report, bool connected) {
    struct json_object *section = report ? json_object_get(report) : bk__json_object();
    if (!section || !bk__json_add_bool(section, "connected", connected)) {
        json_object_put(section);
        return bk__fail_memory();
    }
    return bk__json_put(bk__job_result(job), "database", section) ? 0 : bk__fail_memory();
}

static int judge_failure(struct bk__job *job, int error,
                         struct bk__health_verdict *verdict) {
    char text[512];
    snprintf(text, sizeof text, "Database connection failed: %s", bk__error_text());
    struct bk__finding finding = {"database", BK__UNHEALTHY, "database_failed", text};
    struct json_object *check = bk__health_judge(verdict, &finding);
    if (!check || !bk__json_add_text(check, "error", bk_error_name(error))) {
        return bk__fail_memory();
    }
    return add_section(job, NULL, false);
}

int bk__health_database(struct bk__job *job, struct bk__health_verdict *verdict) {
    if (!*bk__config_text(bk__job_config(job), BK__OPT_DATABASE)) {
        return bk__json_put(bk__job_result(job), "database", NULL) ? 0
                                                                   : bk__fail_memory();
    }
    struct json_object *report = NULL;
    int error = bk__job_call(job, "store.probe", NULL, &report);
    if (error == BK_ECANCELLED || error == BK_ENOMEM) {
        return error;
    }
    if (error) {
        return judge_failure(job, error, verdict);
    }
    char text[96];
    struct bk__finding finding = judge_report(job, report, text, sizeof text);
    error = bk__health_judge(verdict, &finding) ? add_section(job, report, true)
                                                : bk__fail_memory();
    json_object_put(report);
    return error;
}
