/*
 * state.dir/postgres-restore.json: the names of a restore on its way, so that what a killed one
 * left on the server is dropped by the next operation. The swap itself is the server's one
 * transaction: nothing has to be finished or undone. driver.c and restore.c call it.
 */
#include <store/postgres/internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <os/file.h>

#define NOTE "postgres-restore.json"
#define LOCK "postgres-restore.lock"
#define LIMIT 4096
#define TRIES 100 /* for the server to notice that nobody listens any more */
#define PIECE_MS 50

static char *state_file(struct bk__job *job, const char *name) {
    char *path =
        bk__file_join(bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR), name);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

int bk__pg_note_lock(struct bk__job *job, int64_t wait_ms) {
    char *path = state_file(job, LOCK);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int fd = bk__file_lock(path, (int)wait_ms, bk__job_cancel_flag(job));
    if (fd < 0 && bk__job_check(job) != 0) {
        fd = BK_ECANCELLED;
    } else if (fd == -EWOULDBLOCK) {
        fd = bk__fail(BK_EBUSY, "Another process is restoring this database. Nothing was "
                                "changed. Try again when it has ended.");
    } else if (fd < 0) {
        fd = bk__fail_errno(fd, "cannot lock", path, NULL);
    }
    free(path);
    return fd;
}

int bk__pg_note_save(struct bk__job *job, const struct bk__pg_note *note) {
    struct json_object *object = bk__json_object();
    char *path = state_file(job, NOTE);
    bool good = object != NULL && path != NULL && bk__json_add_int(object, "format", 1) &&
                bk__json_add_text(object, "database", note->database) &&
                bk__json_add_text(object, "fresh", note->fresh) &&
                bk__json_add_text(object, "kept", note->kept);
    char *text = good ? bk__json_print(object) : NULL;
    int rc = text == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        int err = bk__file_save(path, text, strlen(text));
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot save", path, NULL);
    }
    free(text);
    free(path);
    json_object_put(object);
    return rc;
}

int bk__pg_note_remove(struct bk__job *job) {
    char *path = state_file(job, NOTE);
    int err = path == NULL ? -ENOMEM : bk__file_remove(path);
    if (err != 0) {
        bk__job_log(job, "warning", "Cannot remove %s: %s", path == NULL ? NOTE : path,
                    strerror(-err));
    }
    free(path);
    return err == 0 ? 0 : BK_EIO;
}

/* Only a name that we make ourselves is ever dropped, whatever the file says. */
static bool load(struct bk__job *job, struct bk__pg_note *ret) {
    char *path = state_file(job, NOTE);
    char *text = NULL;
    int err = path == NULL ? -ENOMEM : bk__file_load(path, LIMIT, &text, NULL);
    struct json_object *object = err == 0 ? bk__json_parse(text, NULL) : NULL;
    const char *fresh = bk__json_text(object, "fresh", "");
    const char *database = bk__json_text(object, "database", "");
    bool good = object != NULL && bk__text_starts(fresh, BK__PG_FRESH) &&
                strlen(fresh) <= BK__PG_NAME_MOST && strlen(database) <= BK__PG_NAME_MOST;
    if (good) {
        snprintf(ret->fresh, sizeof ret->fresh, "%s", fresh);
        snprintf(ret->database, sizeof ret->database, "%s", database);
    }
    json_object_put(object);
    free(text);
    free(path);
    return good;
}

/*
 * What a client began goes on at the server after the client's death: a database may appear, or be
 * renamed, when we have looked. Statements with its name are ended first. *ret: how many there were.
 */
static int end_statements(struct bk__pg_link *admin, const char *fresh, int64_t *ret) {
    const char *const values[] = {fresh, NULL};
    return bk__pg_int(admin,
                      "SELECT count(pg_terminate_backend(pid)) FROM "
                      "pg_catalog.pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                      "state <> 'idle' AND strpos(query, $1) > 0",
                      values, ret);
}

/* *ret_gone: nothing of it is left, nor can come back. */
static int drop_once(struct bk__pg_link *admin, const char *fresh, bool *ret_gone) {
    int64_t running = 0;
    bool there = false;
    int rc = end_statements(admin, fresh, &running);
    if (rc == 0 && running == 0) {
        rc = bk__pg_exists(admin, fresh, &there);
    }
    if (rc == 0 && there) {
        rc = bk__pg_fresh_drop(admin, fresh);
    }
    *ret_gone = rc == 0 && running == 0;
    if (rc == 0 && there) {
        bk__job_log(admin->job, "info", "Dropped %s, left by a restore that was killed",
                    fresh);
    }
    return rc;
}

static int drop_fresh(struct bk__job *job, const struct bk__pg_target *target,
                      const struct bk__pg_note *note) {
    struct bk__pg_link admin = {.conn = NULL};
    bool gone = false;
    int rc = bk__pg_admin_open(&admin, job, target, note->database);
    for (int i = 0; rc == 0 && !gone && i < TRIES; i++) {
        rc = drop_once(&admin, note->fresh, &gone);
        if (rc == 0 && !gone) {
            bk__clock_sleep(PIECE_MS);
            rc = bk__job_check(job);
        }
    }
    bk__pg_link_close(&admin);
    return rc == 0 && !gone
               ? bk__fail(
                     BK_EBUSY,
                     "An earlier restore was killed, and the server still works on its "
                     "database %s. Nothing was changed. Try again in a minute.",
                     note->fresh)
               : rc;
}

int bk__pg_settle_locked(struct bk__job *job, const struct bk__pg_target *target) {
    struct bk__pg_note note = {.fresh = ""};
    int rc = load(job, &note) ? drop_fresh(job, target, &note) : 0;
    return rc == 0 ? bk__pg_note_remove(job) : rc;
}

int bk__pg_settle(struct bk__job *job, const struct bk__pg_target *target) {
    char *path = state_file(job, NOTE);
    bool there = path != NULL && bk__file_exists(path);
    free(path);
    if (!there) {
        return path == NULL ? BK_ENOMEM : 0;
    }
    int lock = bk__pg_note_lock(job, 0);
    if (lock < 0) {
        return lock == BK_ECANCELLED || lock == BK_ENOMEM ? lock : 0;
    }
    int rc = bk__pg_settle_locked(job, target);
    bk__file_close(lock);
    if (rc != 0 && rc != BK_ECANCELLED && rc != BK_ENOMEM) {
        bk__job_log(job, "warning",
                    "A restore was killed; what it left is still there: %s",
                    bk__error_text());
        rc = 0;
    }
    return rc;
}
