/*
 * migrate.up: look without a lock, and only when something is to be done take the lock,
 * look again, back up, apply. Not how a batch runs (apply.c) or is undone (failure.c).
 * The operation table calls it.
 */
#include <migrate/batch.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

size_t bk__batch_due(const struct bk__batch *b) {
    size_t due = 0;
    while (due < b->plan.pending_count && b->plan.pending[due]->version <= b->to) {
        due++;
    }
    return due;
}

int bk__batch_keep_error(struct bk__batch *b, int code) {
    char *why = strdup(bk__error_text());
    free(b->why);
    b->why = why;
    return code;
}

static int plan_again(struct bk__batch *b, struct bk__history *history) {
    bk__plan_free(&b->plan);
    bk__history_free(&b->history);
    b->history = *history;
    return bk__plan_make(&b->plan, &b->files, &b->history) ? 0 : bk__fail_memory();
}

int bk__batch_look(struct bk__batch *b) {
    struct bk__history history = {0};
    int rc = b->store ? bk__history_read(b->store, &history) : 0;
    if (rc == 0) {
        rc = plan_again(b, &history);
    }
    return rc == 0 ? bk__plan_check(&b->plan) : rc;
}

static void batch_free(struct bk__batch *b) {
    bk__store_close(b->store);
    bk__plan_free(&b->plan);
    bk__history_free(&b->history);
    bk__files_free(&b->files);
    json_object_put(b->applied);
    free(b->backup);
    free(b->why);
}

/* ---- the result ---- */

static int finish(struct bk__batch *b) {
    struct json_object *result = bk__job_result(b->job);
    int64_t current = b->plan.current;
    bool good = bk__json_put(result, "applied", json_object_get(b->applied));
    good = good && (current < 0 ? bk__json_put(result, "current", NULL)
                                : bk__json_add_int(result, "current", current));
    good = good && bk__json_add_text(result, "backup", b->backup);
    good = good &&
           bk__json_add_int(result, "total_ms", bk__job_mono(b->job) - b->started_mono);
    return good ? 0 : bk__fail_memory();
}

static int64_t current_or_zero(const struct bk__batch *b) {
    return b->plan.current < 0 ? 0 : b->plan.current;
}

static int nothing_to_do(struct bk__batch *b) {
    bk__job_log(b->job, "info", "Current schema version: v%" PRId64, current_or_zero(b));
    bk__job_log(b->job, "info", "No pending migrations - database is up to date");
    return finish(b);
}

/* ---- under the lock ---- */

/* Whether there is no table in it. A missing or empty file is opened as an empty
 * database. */
static int find_fresh(struct bk__batch *b) {
    struct json_object *report = bk__json_object();
    int rc = report ? b->store->driver->probe(b->store, report) : bk__fail_memory();
    if (rc == 0) {
        b->fresh = b->created || bk__json_int(report, "tables", 1) == 0;
    }
    json_object_put(report);
    return rc;
}

/* What is there is not opened as if it might be made: SQLite would then take a full disk for a
   file that may only be read. */
static int open_store(struct bk__batch *b) {
    b->created = !bk__file_exists(b->database);
    bool empty = bk__file_size_of(b->database) <= 0;
    int rc = bk__store_open(&b->store, b->job, empty);
    return rc == 0 ? find_fresh(b) : rc;
}

/* An empty database cannot be backed up. Where this batch commits in pieces, it gets its
   history tables first, so that there is a state to go back to. */
static int make_history(struct bk__batch *b) {
    const struct bk__migration *first = b->plan.pending[0];
    struct bk__attempt attempt = {.version = first->version,
                                  .file = first->file,
                                  .started_ms = bk__job_wall(b->job),
                                  .outcome = "created"};
    const struct bk__store_driver *driver = b->store->driver;
    int rc = driver->begin(b->store);
    rc = rc == 0 ? bk__history_prepare(b->store) : rc;
    rc = rc == 0 ? bk__history_log(b->store, &attempt) : rc;
    rc = rc == 0 ? driver->commit(b->store) : rc;
    if (rc < 0) {
        bk__batch_keep_error(b, rc);
        driver->rollback(b->store);
    }
    return rc;
}

static bool in_one_transaction(const struct bk__batch *b) {
    size_t due = bk__batch_due(b);
    for (size_t i = 0; i < due; i++) {
        if (!b->plan.pending[i]->transaction) {
            return false;
        }
    }
    return true;
}

static int call_backup(struct bk__batch *b) {
    struct json_object *result = NULL;
    struct json_object *args = bk__json_object();
    /* Of the database alone: only that may be put back when a migration fails. */
    if (!args || !bk__json_add_text(args, "kind", "pre_migration") ||
        !bk__json_add_text(args, "store", "database")) {
        json_object_put(args);
        return bk__fail_memory();
    }
    int rc = bk__job_call(b->job, "backup.create", args, &result);
    if (rc == 0) {
        b->backup = strdup(bk__json_text(result, "name", ""));
        rc = b->backup ? 0 : bk__fail_memory();
    }
    json_object_put(result);
    return rc;
}

/* One backup for the whole batch; without it nothing is applied. */
static int back_up(struct bk__batch *b) {
    int rc = 0;
    if (!bk__config_bool(bk__job_config(b->job), BK__OPT_MIGRATE_BACKUP)) {
        return 0;
    }
    if (b->fresh && in_one_transaction(b)) {
        return 0;
    }
    if (b->fresh) {
        rc = make_history(b);
    }
    rc = rc == 0 ? call_backup(b) : rc;
    if (rc < 0 && rc != BK_ECANCELLED) {
        bk__batch_keep_error(b, rc);
        rc = bk__fail(
            rc,
            "No migration was applied, because the backup before them failed: %s The "
            "database is as before. When that is solved, run: botkeep migrate up",
            b->why ? b->why : "");
    }
    return rc;
}

static int apply(struct bk__batch *b) {
    size_t due = bk__batch_due(b);
    b->total = (int64_t)due;
    bk__job_log(b->job, "info", "Current schema version: v%" PRId64, current_or_zero(b));
    bk__job_log(b->job, "info", "Found %zu pending migration(s)", due);
    int rc = back_up(b);
    if (rc < 0) {
        return rc;
    }
    rc = bk__apply_due(b);
    if (rc < 0) {
        return bk__failure_undo(b, rc);
    }
    bk__job_log(b->job, "info", "✅ All migrations completed - schema version: v%" PRId64,
                current_or_zero(b));
    return finish(b);
}

static int run_locked(struct bk__batch *b) {
    int rc = open_store(b);
    rc = rc == 0 ? bk__batch_look(b) : rc;
    if (rc == 0 && b->plan.partial) {
        rc = bk__failure_recover(b);
        rc = rc == 0 ? bk__batch_look(b) : rc;
    }
    if (rc < 0) {
        return rc;
    }
    return bk__batch_due(b) == 0 ? nothing_to_do(b) : apply(b);
}

/* The kernel drops the lock when its holder dies, so it is waited for without an end. */
static int lock(struct bk__batch *b) {
    const char *dir = bk__config_text(bk__job_config(b->job), BK__OPT_STATE_DIR);
    char *path = bk__file_join(dir, "migrate.lock");
    if (!path) {
        return bk__fail_memory();
    }
    int fd = bk__file_lock(path, 0, NULL);
    if (fd == -EWOULDBLOCK) {
        bk__job_log(b->job, "info", "Another process is migrating; waiting for it");
    }
    while (fd == -EWOULDBLOCK) {
        fd = bk__file_lock(path, INT_MAX, bk__job_cancel_flag(b->job));
    }
    if (fd == -ECANCELED) {
        fd = bk__job_check(b->job);
    } else if (fd < 0) {
        fd = bk__fail_errno(fd, "cannot lock the migrations", path, NULL);
    }
    free(path);
    return fd;
}

/* ---- without a lock ---- */

static int read_arguments(struct bk__batch *b) {
    b->to = bk__job_int(b->job, "to", INT64_MAX);
    for (size_t i = 0; i < b->files.count; i++) {
        if (b->to == INT64_MAX || b->files.items[i].version == b->to) {
            return 0;
        }
    }
    if (b->to == INT64_MAX) {
        return 0;
    }
    return bk__fail(BK_EINVAL,
                    "There is no migration with version %" PRId64
                    " in %s. Nothing was changed. "
                    "See the versions with: botkeep migrate plan",
                    b->to, bk__status_dir(b->job));
}

/*
 * True when there is nothing to be done, or a problem (*ret_rc). Whatever else fails
 * here, a database that is just being made among it, is looked at again under the lock.
 */
static bool is_settled(struct bk__batch *b, int *ret_rc) {
    *ret_rc = bk__status_open(b->job, &b->store);
    if (*ret_rc == 0) {
        *ret_rc = bk__batch_look(b);
    }
    bk__store_close(b->store);
    b->store = NULL;
    if (*ret_rc == BK_EMIGRATION) {
        return true;
    }
    if (*ret_rc < 0 || bk__batch_due(b) > 0 || b->plan.partial) {
        return false;
    }
    *ret_rc = nothing_to_do(b);
    return true;
}

int bk__migrate_up(struct bk__job *job) {
    struct bk__batch b = {.job = job, .started_mono = bk__job_mono(job)};
    int rc = bk__status_scan(job, &b.files);
    b.database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    b.applied = rc == 0 ? bk__json_list() : NULL;
    if (rc == 0) {
        rc = b.applied ? read_arguments(&b) : bk__fail_memory();
    }
    if (rc == 0 && !is_settled(&b, &rc)) {
        int fd = lock(&b);
        rc = fd < 0 ? fd : run_locked(&b);
        if (fd >= 0) {
            bk__store_close(b.store);
            b.store = NULL;
            bk__file_close(fd);
        }
    }
    batch_free(&b);
    return rc;
}
