/*
 * Applying what is due: a run of ordinary migrations in one transaction with their
 * history rows, and each transaction:false file by itself between two small transactions.
 * Not what happens after a failure: failure.c. up.c calls it.
 */
#include <migrate/batch.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>

enum { ATTEMPTS = 3 };

/* A piece of a batch that either happens whole or leaves nothing, so that it may be tried
 * again. */
typedef int (*piece_fn)(struct bk__batch *b, int attempt);

static bool may_pass(int rc) {
    return rc == BK_EBUSY || rc == BK_EIO;
}

static int wait_seconds(struct bk__batch *b, int seconds) {
    int64_t until = bk__job_mono(b->job) + seconds * INT64_C(1000);
    int rc = bk__job_check(b->job);
    while (rc == 0 && bk__job_mono(b->job) < until) {
        bk__clock_sleep(20);
        rc = bk__job_check(b->job);
    }
    return rc < 0 ? bk__batch_keep_error(b, rc) : 0;
}

/* Only a busy database and a disk's hiccup may pass; an error in SQL stays one. */
static int try_piece(struct bk__batch *b, piece_fn piece) {
    int rc = piece(b, 1);
    for (int attempt = 2; attempt <= ATTEMPTS && may_pass(rc); attempt++) {
        bk__job_log(b->job, "warning", "Attempt %d/%d failed: %s", attempt - 1, ATTEMPTS,
                    b->why ? b->why : "");
        int waited = wait_seconds(b, attempt - 1);
        rc = waited < 0 ? waited : piece(b, attempt);
    }
    return rc;
}

static char *description(const struct bk__migration *m) {
    char *text = strdup(m->name);
    for (char *at = text; at && *at; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    return text;
}

static void announce(struct bk__batch *b, const struct bk__migration *m, int attempt) {
    char *text = description(m);
    b->at = m;
    b->at_commit = false;
    b->error = (struct bk__script_error){0};
    b->at_started_ms = bk__job_wall(b->job);
    bk__job_log(b->job, "info", "Running migration v%" PRId64 " - %s (attempt %d/%d)",
                m->version, text ? text : m->name, attempt, ATTEMPTS);
    free(text);
}

/* The line in the file, where the engine counts from the beginning of the up part. */
static int run_script(struct bk__batch *b, const struct bk__migration *m) {
    int rc = b->store->driver->script(b->store, m->up, m->transaction, &b->error);
    if (rc < 0) {
        bk__batch_keep_error(b, rc);
        b->error.line += b->error.line > 0 ? m->up_line - 1 : 0;
    }
    return rc;
}

static int record(struct bk__batch *b, const struct bk__migration *m, int64_t ms) {
    int64_t now = bk__job_wall(b->job);
    struct bk__attempt attempt = {.version = m->version,
                                  .file = m->file,
                                  .started_ms = b->at_started_ms,
                                  .ended_ms = now,
                                  .outcome = "applied",
                                  .backup = b->backup};
    int rc = bk__history_add(b->store, m, "applied", now, ms);
    return rc == 0 ? bk__history_log(b->store, &attempt) : rc;
}

static bool note(struct json_object *list, const struct bk__migration *m, int64_t ms) {
    struct json_object *item = bk__json_object();
    bool good = item && bk__json_add_int(item, "version", m->version) &&
                bk__json_add_text(item, "name", m->name) &&
                bk__json_add_int(item, "ms", ms);
    if (!good) {
        json_object_put(item);
        return false;
    }
    return bk__json_append(list, item);
}

/* Says what is done only once it is: after the commit. */
static int report(struct bk__batch *b, struct json_object *ran) {
    for (size_t i = 0; i < json_object_array_length(ran); i++) {
        struct json_object *item = json_object_array_get_idx(ran, i);
        bk__job_log(b->job, "info",
                    "✅ Migration v%" PRId64 " completed successfully (%" PRId64 " ms)",
                    bk__json_int(item, "version", 0), bk__json_int(item, "ms", 0));
        if (!bk__json_append(b->applied, json_object_get(item))) {
            return bk__fail_memory();
        }
    }
    bk__job_progress(b->job, "migrate", (int64_t)json_object_array_length(b->applied),
                     b->total);
    return 0;
}

/* Whatever failed in an open transaction: its text is kept, then nothing of it stays. */
static int end_transaction(struct bk__batch *b, int rc) {
    b->at_commit = rc == 0;
    rc = rc == 0 ? b->store->driver->commit(b->store) : rc;
    if (rc < 0) {
        bk__batch_keep_error(b, rc);
        b->store->driver->rollback(b->store);
    }
    return rc;
}

/* ---- a run of ordinary migrations ---- */

static int run_one(struct bk__batch *b, const struct bk__migration *m, int attempt,
                   struct json_object *ran) {
    int64_t before = bk__job_mono(b->job);
    int64_t done =
        (int64_t)(json_object_array_length(b->applied) + json_object_array_length(ran));
    int rc = bk__job_check(b->job);
    if (rc < 0) {
        return rc;
    }
    bk__job_progress(b->job, "migrate", done, b->total);
    announce(b, m, attempt);
    rc = run_script(b, m);
    int64_t ms = bk__job_mono(b->job) - before;
    rc = rc == 0 ? record(b, m, ms) : rc;
    return rc == 0 && !note(ran, m, ms) ? bk__fail_memory() : rc;
}

/* Another process may have migrated since the last look, when it keeps its lock
 * elsewhere. */
static int run_transaction(struct bk__batch *b, int attempt, struct json_object *ran) {
    int rc = bk__batch_look(b);
    rc = rc == 0 ? bk__history_prepare(b->store) : rc;
    size_t due = rc == 0 ? bk__batch_due(b) : 0;
    b->first = due > 0 ? b->plan.pending[0] : NULL;
    for (size_t i = 0; i < due && rc == 0 && b->plan.pending[i]->transaction; i++) {
        rc = run_one(b, b->plan.pending[i], attempt, ran);
    }
    return rc;
}

static int piece_run(struct bk__batch *b, int attempt) {
    struct json_object *ran = bk__json_list();
    int rc = ran ? b->store->driver->begin(b->store) : bk__fail_memory();
    if (rc < 0) {
        bk__batch_keep_error(b, rc);
    } else {
        rc = end_transaction(b, run_transaction(b, attempt, ran));
    }
    if (rc == 0) {
        b->committed = true;
        b->at = NULL;
        rc = report(b, ran);
    }
    json_object_put(ran);
    return rc;
}

/* ---- one transaction:false file ---- */

/* Whether it is still the one to run, once the write lock is held. */
static int claim(struct bk__batch *b, bool *ret_mine) {
    const struct bk__migration *m = b->plan.pending[0];
    struct bk__attempt attempt = {.version = m->version,
                                  .file = m->file,
                                  .started_ms = bk__job_wall(b->job),
                                  .outcome = "started",
                                  .backup = b->backup};
    int rc = bk__batch_look(b);
    *ret_mine = rc == 0 && bk__batch_due(b) > 0 && b->plan.pending[0] == m;
    if (!*ret_mine) {
        return rc;
    }
    rc = bk__history_prepare(b->store);
    rc = rc == 0 ? bk__history_add(b->store, m, "partial", attempt.started_ms, 0) : rc;
    return rc == 0 ? bk__history_log(b->store, &attempt) : rc;
}

/* The row that says "partial" is there before the first statement: after a kill the next
   start knows that this file has begun. */
static int piece_claim(struct bk__batch *b, int attempt) {
    bool mine = false;
    (void)attempt;
    int rc = b->store->driver->begin(b->store);
    if (rc < 0) {
        return bk__batch_keep_error(b, rc);
    }
    rc = end_transaction(b, claim(b, &mine));
    b->partial = rc == 0 && mine;
    return rc;
}

static int piece_record(struct bk__batch *b, int attempt) {
    (void)attempt;
    int rc = b->store->driver->begin(b->store);
    if (rc < 0) {
        return bk__batch_keep_error(b, rc);
    }
    return end_transaction(b, record(b, b->at, bk__job_wall(b->job) - b->at_started_ms));
}

/* Only as long as nothing of the file has been executed may it be tried again. */
static int run_outside(struct bk__batch *b, const struct bk__migration *m) {
    int rc = 0;
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        announce(b, m, attempt);
        rc = run_script(b, m);
        if (!may_pass(rc) || b->error.statement > 1 || attempt == ATTEMPTS) {
            break;
        }
        int waited = wait_seconds(b, attempt);
        if (waited < 0) {
            return waited;
        }
    }
    return rc;
}

static int run_alone(struct bk__batch *b) {
    const struct bk__migration *m = b->plan.pending[0];
    struct json_object *ran = bk__json_list();
    int rc = ran ? try_piece(b, piece_claim) : bk__fail_memory();
    if (rc == 0 && b->partial) {
        int64_t before = bk__job_mono(b->job);
        rc = run_outside(b, m);
        rc = rc == 0 ? try_piece(b, piece_record) : rc;
        if (rc == 0) {
            b->partial = false;
            b->committed = true;
            b->at = NULL;
            rc = note(ran, m, bk__job_mono(b->job) - before) ? report(b, ran)
                                                             : bk__fail_memory();
        }
    }
    json_object_put(ran);
    return rc;
}

int bk__apply_due(struct bk__batch *b) {
    int rc = 0;
    while (rc == 0 && bk__batch_due(b) > 0) {
        rc = bk__job_check(b->job);
        if (rc == 0) {
            rc = b->plan.pending[0]->transaction ? try_piece(b, piece_run) : run_alone(b);
        }
        if (rc == 0) {
            rc = bk__batch_look(b);
        }
        if (rc < 0 && !b->why) {
            bk__batch_keep_error(b, rc);
        }
    }
    return rc;
}
