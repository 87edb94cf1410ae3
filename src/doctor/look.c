/*
 * What the doctor looks at: database, backups, disks, migrations (the bot's SQLite: sqlite.c). Asks the other rooms by
 * their operations and the system by os/; changes nothing. doctor.c calls it.
 */
#include <doctor/findings.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <os/file.h>
#include <os/system.h>

/* A day and an hour: a daily backup that is merely late is no finding. */
#define STALE_MS (25 * 3600000LL)
#define DAY_MS (24 * 3600000LL)
#define REHEARSAL_MS (30 * DAY_MS)

/* What is asked of another room, and the finding when it cannot answer. */
struct question {
    const char *operation;
    const char *store; /* NULL: none in particular */
    struct bk__advice advice;
    const char *said; /* before the room's own words */
};

/* Asks. *ret_result is NULL when the room failed, which is a finding, not an error: that comes
   only when the job itself must end. */
static int ask(struct bk__job *job, struct bk__findings *findings,
               const struct question *question, struct json_object **ret_result) {
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
        "%zu databases that restores replaced are still there; the newest is %s.", count,
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
                       const struct question *question) {
    struct json_object *report = NULL;
    int error = ask(job, findings, question, &report);
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
    static const struct question database = {
        "store.probe",
        "database",
        {"database_failed", BK__PROBLEM,
         "See docs/guide/restore.md for what to do next."},
        "The database cannot be read"};
    static const struct question redis = {
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

static int judge_newest(struct bk__job *job, struct bk__findings *findings,
                        struct json_object *status) {
    struct json_object *newest = bk__json_member(status, "newest");
    int64_t made_at = 0;
    if (!newest || !bk__stamp_parse(bk__json_text(newest, "created_at", ""), &made_at)) {
        return bk__find(
            findings,
            (struct bk__advice){"no_backup", BK__WARNING, "Run: botkeep backup create"},
            "There is no backup yet.");
    }
    int64_t age = bk__job_wall(job) - made_at;
    if (age > STALE_MS) {
        return bk__find(
            findings,
            (struct bk__advice){"backup_old", BK__WARNING,
                                "Check that the bot runs and backup.every is set."},
            "The newest backup is %lld hours old.", (long long)(age / 3600000));
    }
    return bk__find(findings, (struct bk__advice){"backup", BK__OK, ""},
                    "The newest verified backup is %s.",
                    bk__json_text(newest, "name", ""));
}

/* What was never restored is a hope. A month is what a bot's owner should not go beyond. */
static int judge_rehearsal(struct bk__job *job, struct bk__findings *findings,
                           struct json_object *status) {
    static const struct bk__advice advice = {"no_rehearsal", BK__WARNING,
                                             "Run: botkeep backup rehearse"};
    struct json_object *rehearsal = bk__json_member(status, "rehearsal");
    int64_t at = 0;
    if (bk__json_member(status, "newest") == NULL) {
        return 0; /* said already */
    }
    if (!rehearsal || !bk__stamp_parse(bk__json_text(rehearsal, "at", ""), &at)) {
        return bk__find(findings, advice, "No backup was ever restored to try it.");
    }
    if (!bk__json_bool(rehearsal, "ok", false)) {
        return bk__find(findings,
                        (struct bk__advice){"rehearsal_failed", BK__PROBLEM,
                                            "Run: botkeep backup create, then botkeep "
                                            "backup rehearse"},
                        "The last rehearsal of a restore said: %s",
                        bk__json_text(rehearsal, "error", ""));
    }
    int64_t age = bk__job_wall(job) - at;
    if (age > REHEARSAL_MS) {
        return bk__find(findings, advice,
                        "The last rehearsal of a restore is %lld days old.",
                        (long long)(age / DAY_MS));
    }
    bool shut = strcmp(bk__json_text(rehearsal, "depth", "full"), "sealed") == 0;
    return bk__find(findings, (struct bk__advice){"rehearsal", BK__OK, ""},
                    shut ? "Backup %s is what was made; only who has the secret key can "
                           "rehearse a restore of it."
                         : "Backup %s was restored and checked.",
                    bk__json_text(rehearsal, "name", ""));
}

int bk__doctor_backups(struct bk__job *job, struct bk__findings *findings) {
    static const struct question question = {
        "backup.status",
        NULL,
        {"backup_dir", BK__PROBLEM, "Set backup.dir to a folder this user may write."},
        "The backup folder cannot be used"};
    struct json_object *status = NULL;
    int error = ask(job, findings, &question, &status);
    if (error || !status) {
        return error;
    }
    error = judge_newest(job, findings, status);
    error = error ? error : judge_rehearsal(job, findings, status);
    struct json_object *failure = bk__json_member(status, "last_failure");
    if (!error && failure) {
        error = bk__find(
            findings,
            (struct bk__advice){"backup_failed", BK__WARNING,
                                "Mend the cause, then run: botkeep backup create"},
            "The last failed backup said: %s", bk__json_text(failure, "message", ""));
    }
    json_object_put(status);
    return error;
}

/* The nearest existing folder at or above path; the caller frees it. */
static char *existing_folder(const char *path) {
    char *folder = strdup(path);
    struct stat info;
    while (folder && stat(folder, &info) != 0 && strcmp(folder, "/") != 0 &&
           strcmp(folder, ".") != 0) {
        char *parent = bk__file_dir(folder);
        free(folder);
        folder = parent;
    }
    return folder;
}

static bool in_git_work_tree(const char *folder) {
    char *at = strdup(folder);
    bool found = false;
    while (at && !found) {
        char *git = bk__file_join(at, ".git");
        found = git && bk__file_exists(git);
        free(git);
        char *parent = bk__file_dir(at);
        bool top = !parent || strcmp(parent, at) == 0;
        free(at);
        at = top ? NULL : parent;
        if (top) {
            free(parent);
        }
    }
    free(at);
    return found;
}

static int judge_filesystem(struct bk__findings *findings, const char *what,
                            const char *folder) {
    bool ephemeral = false;
    bool network = false;
    const char *type = bk__system_filesystem(folder, &ephemeral, &network);
    if (ephemeral) {
        return bk__find(
            findings,
            (struct bk__advice){"ephemeral_disk", BK__WARNING,
                                "Put it on a volume that outlives the container."},
            "The %s folder %s is on %s, which is lost when the container or machine "
            "is replaced.",
            what, folder, type);
    }
    if (network) {
        return bk__find(
            findings,
            (struct bk__advice){"network_disk", BK__WARNING,
                                "Keep a live SQLite database on a local disk."},
            "The %s folder %s is on %s, where file locks are not to be trusted.", what,
            folder, type);
    }
    return 0;
}

/* data NULL: the database is no file of this machine's. */
static int judge_backup_folder(struct bk__findings *findings, const char *data,
                               const char *backups) {
    struct stat one;
    struct stat other;
    int error = 0;
    if (data && stat(data, &one) == 0 && stat(backups, &other) == 0 &&
        one.st_dev == other.st_dev) {
        error = bk__find(
            findings,
            (struct bk__advice){"same_disk", BK__NOTE,
                                "Copy backups to another disk or machine as well."},
            "The backups are on the same disk as the database: they do not survive "
            "that disk.");
    }
    if (!error && in_git_work_tree(backups)) {
        error =
            bk__find(findings,
                     (struct bk__advice){"git_work_tree", BK__NOTE,
                                         "Keep backups out of the repository's folder."},
                     "The backup folder lies inside a git work tree.");
    }
    if (!error && access(backups, W_OK) != 0) {
        error = bk__find(
            findings,
            (struct bk__advice){"backup_dir_denied", BK__PROBLEM,
                                "Set backup.dir to a folder this user may write."},
            "This user may not write to %s.", backups);
    }
    return error;
}

static int judge_space(struct bk__job *job, struct bk__findings *findings,
                       const char *backups) {
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;
    const char *path = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    int64_t database = *path ? bk__file_size_of(path) : -1;
    if (database < 0 || bk__file_space(backups, &free_bytes, &total_bytes) != 0) {
        return 0;
    }
    /* A backup needs the database's size for the snapshot and at most that again for the
     * archive. */
    if (free_bytes < 2 * database) {
        return bk__find(
            findings,
            (struct bk__advice){"no_space", BK__PROBLEM,
                                "Free space, or set backup.dir to a larger disk."},
            "The next backup may not fit: %lld MB are free, %lld MB may be needed.",
            (long long)(free_bytes >> 20), (long long)(2 * database >> 20));
    }
    return bk__find(findings, (struct bk__advice){"space", BK__OK, ""},
                    "There is room for the next backup (%lld MB free).",
                    (long long)(free_bytes >> 20));
}

int bk__doctor_disks(struct bk__job *job, struct bk__findings *findings) {
    const struct bk__config *config = bk__job_config(job);
    /* A server's own disk is out of sight: what is ours lies in state.dir. */
    bool apart = bk__config_on_server(config) ||
                 *bk__config_text(config, BK__OPT_DATABASE) == '\0';
    char *parent = apart ? strdup(bk__config_text(config, BK__OPT_STATE_DIR))
                         : bk__file_dir(bk__config_text(config, BK__OPT_DATABASE));
    char *data = parent ? existing_folder(parent) : NULL;
    char *backups = existing_folder(bk__config_text(config, BK__OPT_BACKUP_DIR));
    int error = data && backups ? 0 : bk__fail_memory();
    error = error ? error : judge_filesystem(findings, "data", data);
    error = error ? error : judge_filesystem(findings, "backup", backups);
    error = error ? error : judge_backup_folder(findings, apart ? NULL : data, backups);
    error = error ? error : judge_space(job, findings, backups);
    free(parent);
    free(data);
    free(backups);
    return error;
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
    static const struct question question = {
        "migrate.plan",
        NULL,
        {"migrations_failed", BK__PROBLEM, "Run: botkeep migrate plan"},
        "The migrations cannot be read"};
    struct json_object *plan = NULL;
    int error = ask(job, findings, &question, &plan);
    if (error || !plan) {
        return error;
    }
    error = judge_plan(findings, plan);
    json_object_put(plan);
    return error;
}
