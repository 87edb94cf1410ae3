/*
 * After a failure: the state before the batch is put back, the attempt is logged in a
 * transaction of its own, and the error says where, why, what the database holds now and
 * what to do next. Also after a kill in a transaction:false file. Not the rollback of an
 * open transaction: apply.c.
 */
#include <migrate/batch.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

/* What the database holds after the failure. */
enum state {
    AS_BEFORE,    /* nothing of the batch was ever committed */
    RESTORED,     /* the state before the batch was restored from its backup */
    KEPT,         /* whole migrations are applied, the rest not */
    HALF,         /* part of a transaction:false file is there, and no backup */
    HALF_LATER,   /* the same, and the next migrate.up restores the backup */
    NOT_RESTORED, /* the restore failed */
};

/* The store is closed meanwhile, so that no statement of ours stands in the way. */
static int restore(struct bk__batch *b, const char *name) {
    struct json_object *result = NULL;
    struct json_object *args = bk__json_object();
    if (!args || !bk__json_add_text(args, "name", name) ||
        !bk__json_add_text(args, "mode", "live")) {
        json_object_put(args);
        return bk__fail_memory();
    }
    bk__store_close(b->store);
    b->store = NULL;
    int rc = bk__job_call(b->job, "backup.restore", args, &result);
    if (rc == 0) {
        bk__job_log(
            b->job, "warning",
            "The state before the migrations was restored from %s; what the database "
            "held until then is in %s",
            name, bk__json_text(result, "pre_restore", "no backup"));
    }
    json_object_put(result);
    return rc;
}

static int reopen(struct bk__batch *b) {
    return b->store ? 0 : bk__store_open(&b->store, b->job, false);
}

/* One small transaction of its own. A failure here is only a warning: the error that is
   being told is another one. */
static void in_transaction(struct bk__batch *b, const struct bk__attempt *log,
                           int64_t drop) {
    int rc = reopen(b);
    rc = rc == 0 ? b->store->driver->begin(b->store) : rc;
    rc = rc == 0 ? bk__history_prepare(b->store) : rc;
    rc = rc == 0 && drop >= 0 ? bk__history_drop(b->store, drop) : rc;
    rc = rc == 0 && log ? bk__history_log(b->store, log) : rc;
    rc = rc == 0 ? b->store->driver->commit(b->store) : rc;
    if (rc < 0) {
        bk__job_log(b->job, "warning",
                    "The attempt could not be noted in the database: %s",
                    bk__error_text());
        if (b->store) {
            b->store->driver->rollback(b->store);
        }
    }
}

/* ---- what to put back ---- */

/* The first statement of a file failed outside a transaction, so nothing of it is there.
 */
static bool only_claimed(const struct bk__batch *b) {
    return b->partial && b->error.statement == 1;
}

static enum state put_back(struct bk__batch *b, int code, char **ret_why) {
    bool half = b->partial && !only_claimed(b);
    if (!b->committed && !half) {
        return AS_BEFORE;
    }
    if (code == BK_ECANCELLED) {
        return !half ? KEPT : b->backup ? HALF_LATER : HALF;
    }
    if (!b->backup) {
        return half ? HALF : KEPT;
    }
    if (restore(b, b->backup) < 0) {
        *ret_why = strdup(bk__error_text());
        return NOT_RESTORED;
    }
    b->partial = false;
    return RESTORED;
}

/* The driver removes a file that it made and that nothing was put into, as it closes. */
static bool remove_created(struct bk__batch *b) {
    bk__store_close(b->store);
    b->store = NULL;
    return !bk__file_exists(b->database);
}

/* ---- the text ---- */

static void say_where(struct bk__buf *text, const struct bk__batch *b) {
    const char *why = b->why ? b->why : "out of memory";
    const char *first =
        b->first && b->at_commit && b->first != b->at ? b->first->file : NULL;
    if (!b->at) {
        bk__buf_printf(text, "The migrations failed: %s", why);
    } else if (b->error.line > 0) {
        bk__buf_printf(text, "Migration %s failed at line %d, statement %d (%s): %s",
                       b->at->file, b->error.line, b->error.statement, b->error.text,
                       b->error.why[0] ? b->error.why : why);
    } else if (first) {
        bk__buf_printf(text, "Migrations %s to %s failed when they were committed: %s",
                       first, b->at->file, why);
    } else {
        bk__buf_printf(text, "Migration %s failed: %s", b->at->file, why);
    }
    if (text->size > 0 && text->data[text->size - 1] != '.') {
        bk__buf_text(text, ".");
    }
}

static void say_state(struct bk__buf *text, const struct bk__batch *b, enum state state,
                      const char *why) {
    size_t count = json_object_array_length(b->applied);
    switch (state) {
    case AS_BEFORE:
        bk__buf_text(text,
                     " The database is as before: nothing of this batch is applied.");
        break;
    case RESTORED:
        bk__buf_printf(
            text,
            " The database is as before: what was already committed was undone "
            "by restoring %s.",
            b->backup);
        break;
    case KEPT:
        bk__buf_printf(
            text, " The %zu migrations before it are applied and stay; the rest is not.",
            count);
        break;
    case HALF:
        bk__buf_text(text, " What the file did before that stays, because it runs with "
                           "transaction:false and there is no backup (migrate.backup).");
        break;
    case HALF_LATER:
        bk__buf_printf(
            text,
            " What the file did before that is still there; the next migrate up "
            "first restores %s.",
            b->backup);
        break;
    case NOT_RESTORED:
        bk__buf_printf(text, " THE DATABASE IS NOT AS BEFORE: restoring %s failed: %s",
                       b->backup, why ? why : "");
        break;
    }
}

static void say_next(struct bk__buf *text, const struct bk__batch *b, enum state state,
                     int code) {
    if (state == NOT_RESTORED) {
        bk__buf_printf(text, " Stop the bot and run: botkeep backup restore %s",
                       b->backup);
    } else if (state == HALF) {
        bk__buf_text(
            text, " Write the file so that it can run again (IF NOT EXISTS), then run: "
                  "botkeep migrate up");
    } else if (strstr(b->error.why, "within a transaction")) {
        bk__buf_text(text,
                     " Put this statement into a file of its own that begins with -- "
                     "migrate:up transaction:false, then run: botkeep migrate up");
    } else if (code == BK_EMIGRATION) {
        bk__buf_text(text, " Correct the file, then run: botkeep migrate up");
    } else {
        bk__buf_text(text, " To try again, run: botkeep migrate up");
    }
}

/* ---- the two ways in ---- */

static void log_attempt(struct bk__batch *b, int code, enum state state) {
    struct bk__attempt attempt = {
        .version = b->at ? b->at->version : -1,
        .file = b->at ? b->at->file : "",
        .started_ms = b->at_started_ms,
        .ended_ms = bk__job_wall(b->job),
        .outcome = code == BK_ECANCELLED ? "cancelled" : "failed",
        .error = b->error.why[0] ? b->error.why : b->why,
        .line = b->error.line,
        .statement = b->error.statement,
        .statement_text = b->error.text[0] ? b->error.text : NULL,
        .backup = b->backup,
    };
    bool was_empty = b->fresh && state == AS_BEFORE && !b->backup;
    if (b->at && !was_empty && code != BK_EBUSY) {
        in_transaction(b, &attempt, only_claimed(b) ? attempt.version : -1);
    } else if (only_claimed(b)) {
        in_transaction(b, NULL, attempt.version);
    }
}

int bk__failure_undo(struct bk__batch *b, int code) {
    struct bk__buf text = {0};
    char *why = NULL;
    enum state state = put_back(b, code, &why);
    say_where(&text, b);
    log_attempt(b, code, state);
    if (b->created && state == AS_BEFORE && !b->backup) {
        bool removed = remove_created(b);
        bk__buf_printf(&text, " The database did not exist before and %s.",
                       removed ? "was removed again" : "was left empty");
    } else {
        say_state(&text, b, state, why);
    }
    say_next(&text, b, state, code);
    code = text.failed ? bk__fail_memory() : bk__fail(code, "%s", text.data);
    bk__buf_free(&text);
    free(why);
    return code;
}

static int recover_failed(struct bk__batch *b, int64_t version, const char *backup,
                          int code) {
    if (code == BK_ECANCELLED) {
        return code;
    }
    bk__batch_keep_error(b, code);
    return bk__fail(
        code,
        "Version %" PRId64 " (transaction:false) was cut off in the middle, and the "
        "backup from before it, %s, could not be restored: %s Nothing was applied "
        "now. When that is solved, run: botkeep migrate up",
        version, backup, b->why ? b->why : "");
}

/* What happened to the file, for a log that no longer knows it. */
static void log_unfinished(struct bk__batch *b, int64_t version, const char *file,
                           const struct bk__unfinished *before) {
    bool killed = !before->outcome || strcmp(before->outcome, "started") == 0;
    struct bk__attempt attempt = {
        .version = version,
        .file = file,
        .started_ms = before->started_ms,
        .ended_ms = bk__job_wall(b->job),
        .outcome = killed ? "interrupted" : before->outcome,
        .error = killed ? "the process ended in the middle of the file" : before->error,
        .backup = before->backup,
    };
    in_transaction(b, &attempt, -1);
}

/*
 * Restored even when the same file could go on: which of its statements ran is known to nobody.
 * What was written since is in the pre_restore backup.
 */
int bk__failure_recover(struct bk__batch *b) {
    struct bk__unfinished before = {0};
    int64_t version = b->plan.partial->version;
    char *file = bk__text_printf("%" PRId64 "_%s.sql", version, b->plan.partial->name);
    int rc =
        file ? bk__history_unfinished(b->store, version, &before) : bk__fail_memory();
    if (rc < 0) {
        goto out;
    }
    bk__job_log(b->job, "warning", "Migration v%" PRId64 " was cut off in the middle",
                version);
    if (before.backup) {
        rc = restore(b, before.backup);
    }
    if (rc == BK_ENOTFOUND) {
        bk__job_log(b->job, "warning",
                    "Its backup %s is gone, so the file runs again as it is",
                    before.backup);
        rc = 0;
    }
    rc = rc == 0 ? reopen(b) : rc;
    if (rc < 0) {
        rc = recover_failed(b, version, before.backup ? before.backup : "", rc);
    } else {
        log_unfinished(b, version, file, &before);
    }
out:
    bk__unfinished_free(&before);
    free(file);
    return rc;
}
