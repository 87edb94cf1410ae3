/*
 * doctor.run: looks at everything that will hurt later and says what to do. Not a health
 * check (that is now, this is tomorrow); it changes nothing. The looking stands in
 * the other files, one for each subject.
 */
#include <doctor/operations.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <core/operation.h>
#include <doctor/findings.h>

const char *bk__weight_name(enum bk__weight weight) {
    static const char *const names[] = {"ok", "note", "warning", "problem"};
    return names[weight];
}

int bk__find(struct bk__findings *findings, struct bk__advice advice, const char *format,
             ...) {
    char *message = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&message, format, values);
    va_end(values);
    struct json_object *row = length < 0 ? NULL : bk__json_object();
    bool good = row && bk__json_add_text(row, "level", bk__weight_name(advice.weight)) &&
                bk__json_add_text(row, "code", advice.code) &&
                bk__json_add_text(row, "message", message) &&
                bk__json_add_text(row, "advice", advice.advice);
    if (length >= 0) {
        free(message);
    }
    if (!good) {
        json_object_put(row);
        return bk__fail_memory();
    }
    if (advice.weight > findings->worst) {
        findings->worst = advice.weight;
    }
    return bk__json_append(findings->list, row) ? 0 : bk__fail_memory();
}

static int look_at_all(struct bk__job *job, struct bk__findings *findings) {
    int error = bk__doctor_stores(job, findings);
    error = error ? error : bk__doctor_backups(job, findings);
    error = error ? error : bk__doctor_disks(job, findings);
    error = error ? error : bk__doctor_sqlite(job, findings);
    return error ? error : bk__doctor_migrations(job, findings);
}

static int run(struct bk__job *job) {
    struct bk__findings findings = {bk__json_list(), BK__OK};
    int error = findings.list ? look_at_all(job, &findings) : bk__fail_memory();
    if (error) {
        json_object_put(findings.list);
        return error;
    }
    struct json_object *result = bk__job_result(job);
    bool good = bk__json_put(result, "findings", findings.list);
    good = bk__json_add_text(result, "worst", bk__weight_name(findings.worst)) && good;
    return good ? 0 : bk__fail_memory();
}

static const struct bk__field result[] = {
    {"findings", "list", NULL, "", "What was looked at."},
    {"findings[].level", "text", NULL, "ok|note|warning|problem", "How much it matters."},
    {"findings[].code", "text", NULL, "", "The finding for programs, such as same_disk."},
    {"findings[].message", "text", NULL, "", "The finding for people."},
    {"findings[].advice", "text", NULL, "", "What to do; empty when nothing."},
    {"worst", "text", NULL, "ok|note|warning|problem",
     "The worst level of all findings."},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct bk__operation bk__doctor_operations[] = {
    {"doctor.run",
     "Looks for what will hurt later: disks, backups, database, migrations.", "owner",
     BK__LANE_QUICK, BK__PLACE_HOST, NULL, result, run},
    {NULL, NULL, NULL, BK__LANE_QUICK, BK__PLACE_HOST, NULL, NULL, NULL},
};
