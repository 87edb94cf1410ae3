/*
 * What the doctor looks at in the stores and the database's migrations, by the operations of their rooms.
 * Not backups (backups.c), disks (disks.c) and the bot's SQLite (sqlite.c). doctor.c calls it.
 */
#include <doctor/findings.h>

#include <stdio.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <os/file.h>

int bk__doctor_ask(struct bk__job *job, struct bk__findings *findings,
                   const struct bk__question *question, struct json_object **ret_result) {
    struct json_object *args = question->store == NULL ? NULL : bk__json_object();
    char why[1024];
    if (question->store != NULL &&
        (args == NULL || !bk__json_add_text(args, "store", question->store))) {
        json_object_put(args);
        return bk__fail_memory();
    }
    int error = bk__job_call(job, question->operation, args, ret_result);
    if (error == 0 || error == BK_ECANCELLED || error == BK_ENOMEM) {
        return error;
    }
    *ret_result = NULL;
    snprintf(why, sizeof why, "%s", bk__error_text());
    return bk__find(findings, question->advice, "%s: %s", question->said, why);
}

static int judge_isolation(struct bk__job *job, struct bk__findings *findings) {
    const char *mode = bk__keeper_isolation(bk__job_keeper(job));
    const char *why = bk__keeper_isolation_why(bk__job_keeper(job));
    if (strcmp(mode, "process") == 0) {
        return bk__find(findings, (struct bk__advice){"isolation_process", BK__NOTE, ""},
                        "A helper process touches the database%s%s.", *why ? "; " : "",
                        why);
    }
    return bk__find(findings, (struct bk__advice){"isolation", BK__OK, ""},
                    "The database is touched safely (%s).", mode);
}

static int judge_file(struct bk__findings *findings, struct json_object *report) {
    return bk__find(findings, (struct bk__advice){"database", BK__OK, ""},
                    "The database answers (%lld bytes, journal mode %s).",
                    (long long)bk__json_int(report, "bytes", 0),
                    bk__json_text(report, "journal_mode", "unknown"));
}

/* What restores have kept fills the server's disk until somebody drops it. */
static int judge_kept(struct bk__findings *findings, struct json_object *report) {
    struct json_object *kept = bk__json_member(report, "kept_databases");
    size_t count = kept ? json_object_array_length(kept) : 0;
    if (count == 0) {
        return 0;
    }
    return bk__find(
        findings,
        (struct bk__advice){"kept_databases", BK__NOTE,
                            "Drop what is no longer needed: DROP DATABASE \"...\"."},
        "Databases that restores replaced are still there: %zu, the newest %s.", count,
        json_object_get_string(json_object_array_get_idx(kept, count - 1)));
}

/* A database on a server is backed up by programs, which must be there and new enough. */
static int judge_server(struct bk__findings *findings, struct json_object *report) {
    struct json_object *client = bk__json_member(report, "client");
    int error = bk__find(findings, (struct bk__advice){"database", BK__OK, ""},
                         "The database answers (%lld bytes, server version %s).",
                         (long long)bk__json_int(report, "bytes", 0),
                         bk__json_text(report, "server_version", "unknown"));
    if (!error && bk__json_bool(client, "ok", false)) {
        error = bk__find(findings, (struct bk__advice){"database_tools", BK__OK, ""},
                         "Backups are made with %s, version %s.",
                         bk__json_text(client, "path", ""),
                         bk__json_text(client, "version", ""));
    } else if (!error) {
        error = bk__find(findings,
                         (struct bk__advice){"database_tools", BK__PROBLEM,
                                             "Install the package that the message "
                                             "names; until then no backup is made."},
                         "%s", bk__json_text(client, "error", "pg_dump is missing."));
    }
    return error ? error : judge_kept(findings, report);
}

static int judge_redis(struct bk__findings *findings, const char *option,
                       struct json_object *report) {
    return bk__find(findings, (struct bk__advice){option, BK__OK, ""},
                    "The Redis server answers (version %s, %lld keys, %lld bytes).",
                    bk__json_text(report, "server_version", "unknown"),
                    (long long)bk__json_int(report, "keys", 0),
                    (long long)bk__json_int(report, "bytes", 0));
}

static int judge_store(struct bk__job *job, struct bk__findings *findings,
                       const struct bk__question *question) {
    struct json_object *report = NULL;
    int error = bk__doctor_ask(job, findings, question, &report);
    if (error || !report) {
        return error;
    }
    error = bk__json_member(report, "role")
                ? judge_redis(findings, question->store, report)
            : bk__json_member(report, "client") ? judge_server(findings, report)
                                                : judge_file(findings, report);
    json_object_put(report);
    return error;
}

int bk__doctor_stores(struct bk__job *job, struct bk__findings *findings) {
    static const struct bk__question database = {
        "store.probe",
        "database",
        {"database_failed", BK__PROBLEM,
         "See docs/guide/restore.md for what to do next."},
        "The database cannot be read"};
    static const struct bk__question redis = {
        "store.probe",
        "redis",
        {"redis_failed", BK__PROBLEM, "See docs/guide/redis.md for what it needs."},
        "The Redis server cannot be asked"};
    const struct bk__config *config = bk__job_config(job);
    bool has_database = *bk__config_text(config, BK__OPT_DATABASE) != '\0';
    bool has_redis = *bk__config_text(config, BK__OPT_REDIS) != '\0';
    if (!has_database && !has_redis) {
        return bk__find(findings,
                        (struct bk__advice){"no_database", BK__PROBLEM,
                                            "Set the option database, or DATABASE_PATH."},
                        "No database is set, so nothing is kept safe.");
    }
    int error = has_database ? judge_store(job, findings, &database) : 0;
    if (!error && has_redis) {
        error = judge_store(job, findings, &redis);
    }
    return error ? error : judge_isolation(job, findings);
}

static int judge_plan(struct bk__findings *findings, struct json_object *plan) {
    struct json_object *problems = bk__json_member(plan, "problems");
    struct json_object *pending = bk__json_member(plan, "pending");
    size_t count = problems ? json_object_array_length(problems) : 0;
    int error = 0;
    for (size_t i = 0; !error && i < count; i++) {
        struct json_object *row = json_object_array_get_idx(problems, i);
        error = bk__find(findings,
                         (struct bk__advice){"migration_problem", BK__PROBLEM,
                                             "Run: botkeep migrate plan"},
                         "%s", bk__json_text(row, "message", "A migration is in doubt."));
    }
    count = pending ? json_object_array_length(pending) : 0;
    if (!error && count > 0) {
        error = bk__find(findings,
                         (struct bk__advice){"migrations_pending", BK__NOTE,
                                             "Run: botkeep migrate up"},
                         "%zu migrations wait.", count);
    }
    return error;
}

/* A bot without migrations is fine: only a folder that is there is looked into. */
int bk__doctor_migrations(struct bk__job *job, struct bk__findings *findings) {
    const struct bk__config *config = bk__job_config(job);
    if (!bk__file_exists(bk__config_text(config, BK__OPT_MIGRATE_DIR)) ||
        bk__config_on_server(config) || !*bk__config_text(config, BK__OPT_DATABASE)) {
        return 0;
    }
    static const struct bk__question question = {
        "migrate.plan",
        NULL,
        {"migrations_failed", BK__PROBLEM, "Run: botkeep migrate plan"},
        "The migrations cannot be read"};
    struct json_object *plan = NULL;
    int error = bk__doctor_ask(job, findings, &question, &plan);
    if (error || !plan) {
        return error;
    }
    error = judge_plan(findings, plan);
    json_object_put(plan);
    return error;
}
