/*
 * state.dir/backup.json: when a backup last succeeded, why one last failed, how often, and how the
 * last rehearsal went.
 * Not the list of backups: that is backup.dir itself. Losing this file loses no data.
 * Called by create.c under the folder's lock, and by status.c.
 */
#include <backup/record.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/manifest.h>
#include <backup/set/set.h>

#define RECORD_LIMIT 65536
#define STATE_SIZE 32
#define FAILING                                                                          \
    "failing" /* true until a run goes well: times would lie after a clock's jump */
/* Restored when a migration was killed half way, however long ago that was. */
#define PINNED "pre_migration"

static char *record_path(struct bk__job *job) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
    return bk__file_join(dir, "backup.json");
}

struct json_object *bk__record_load(struct bk__job *job) {
    char *text = NULL;
    struct json_object *record = NULL;
    char *path = record_path(job);
    if (path != NULL && bk__file_load(path, RECORD_LIMIT, &text, NULL) == 0) {
        record = bk__json_parse(text, NULL);
    }
    free(text);
    free(path);
    if (record == NULL) {
        record = bk__json_object();
    }
    if (record == NULL) {
        bk__fail_memory();
    }
    return record;
}

/* Saves and releases the record. */
static void save(struct bk__job *job, struct json_object *record, bool complete) {
    char *path = record_path(job);
    char *text = complete ? bk__json_print(record) : NULL;
    int rc =
        path == NULL || text == NULL ? -ENOMEM : bk__file_save(path, text, strlen(text));
    if (rc != 0) {
        bk__job_log(job, "warning", "Cannot note in %s how the backup ended: %s",
                    path == NULL ? "state.dir" : path, strerror(-rc));
    }
    free(text);
    free(path);
    json_object_put(record);
}

/* ---- counts ------------------------------------------------------------------------------- */

static bool count(struct json_object *record, const char *name) {
    return bk__json_add_int(record, name, bk__json_int(record, name, 0) + 1);
}

/* Seconds since 1970, as monitoring wants a time; null before the first success. That nothing had
   changed since the last backup is one: it says as much as a new backup would. */
static bool add_last_success(struct json_object *metrics, struct json_object *record) {
    int64_t unix_ms = 0;
    const char *name = "backup_last_success_timestamp_seconds";
    const char *made = bk__json_text(record, "last_success_at", "");
    if (!bk__stamp_parse(bk__json_text(record, "last_checked_at", made), &unix_ms)) {
        return bk__json_put(metrics, name, NULL);
    }
    return bk__json_add_number(metrics, name, (double)unix_ms / 1000);
}

struct json_object *bk__record_metrics(struct json_object *record) {
    struct json_object *metrics = bk__json_object();
    if (metrics != NULL &&
        bk__json_add_int(metrics, "backup_total", bk__json_int(record, "total", 0)) &&
        bk__json_add_int(metrics, "backup_failures_total",
                         bk__json_int(record, "failures_total", 0)) &&
        bk__json_add_number(metrics, "backup_duration_seconds",
                            (double)bk__json_int(record, "last_ms", 0) / 1000) &&
        bk__json_add_int(metrics, "backup_size_bytes",
                         bk__json_int(record, "last_bytes", 0)) &&
        add_last_success(metrics, record)) {
        return metrics;
    }
    json_object_put(metrics);
    return NULL;
}

/* Tells the counts, then saves and releases the record. */
static void tell_and_save(struct bk__job *job, struct json_object *record,
                          bool complete) {
    struct json_object *metrics = bk__record_metrics(record);
    if (metrics != NULL) {
        bk__job_event(job, "metrics", metrics);
    }
    save(job, record, complete);
}

/* ---- how it ended ------------------------------------------------------------------------- */

/* What is noted of one store of several says nothing about all of them, nor they about it. */
static void state_member(struct bk__job *job, const struct bk__set *stores,
                         char ret[STATE_SIZE]) {
    struct bk__store_site sites[BK__STORES];
    bool all = bk__store_sites(job, sites) <= stores->count;
    snprintf(ret, STATE_SIZE, BK__RECORD_STATE "%s%s", all ? "" : "_",
             all ? "" : stores->stores[0].site.name);
}

struct json_object *bk__record_state(struct bk__job *job, struct json_object *record,
                                     const struct bk__set *stores) {
    char member[STATE_SIZE];
    state_member(job, stores, member);
    return bk__json_member(record, member);
}

static bool put_state(struct bk__job *job, struct json_object *record,
                      const struct bk__manifest *manifest,
                      const struct bk__record_state *state) {
    char member[STATE_SIZE];
    state_member(job, state->stores, member);
    struct json_object *to = bk__json_object();
    struct json_object *texts = bk__json_object();
    if (to == NULL || texts == NULL) {
        json_object_put(to);
        json_object_put(texts);
        return false;
    }
    bool ok = bk__json_add_text(to, "name", manifest->name) &&
              bk__json_add_text(to, "sha256", manifest->sha256) &&
              bk__json_add_text(to, "settings", state->settings);
    for (size_t i = 0; ok && i < state->stores->count; i++) {
        const struct bk__set_store *store = &state->stores->stores[i];
        ok = bk__json_add_text(texts, store->site.name, store->fingerprint);
    }
    ok = bk__json_put(to, BK__RECORD_FINGERPRINTS, texts) && ok;
    return bk__json_put(record, member, to) && ok;
}

void bk__record_success(struct bk__job *job, const struct bk__manifest *manifest,
                        const struct bk__record_state *state) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(manifest->created_ms, stamp);
    struct json_object *record = bk__record_load(job);
    if (record == NULL) {
        return;
    }
    if (strcmp(manifest->kind, PINNED) == 0) {
        json_object_object_del(record, PINNED);
    }
    /* A backup of one of several stores mends no failure of all of them. */
    bool mends = bk__set_covers(job, manifest);
    if (mends) {
        json_object_object_del(record, "last_checked_at");
    }
    if (mends) {
        json_object_object_del(record, FAILING);
    }
    bool complete =
        put_state(job, record, manifest, state) &&
        (!mends || bk__json_add_text(record, "last_success_at", stamp)) &&
        (!mends || bk__json_add_text(record, "last_success_name", manifest->name)) &&
        bk__json_add_int(record, "last_ms", manifest->total_ms) &&
        bk__json_add_int(record, "last_bytes", manifest->bytes) && count(record, "total");
    tell_and_save(job, record, complete);
}

void bk__record_unchanged(struct bk__job *job, const struct bk__manifest *manifest,
                          const struct bk__record_state *state, const char *kind) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(bk__job_wall(job), stamp);
    struct json_object *record = bk__record_load(job);
    if (record == NULL) {
        return;
    }
    json_object_object_del(record, FAILING);
    bool complete = (!bk__set_covers(job, manifest) ||
                     bk__json_add_text(record, "last_checked_at", stamp)) &&
                    put_state(job, record, manifest, state);
    if (strcmp(kind, PINNED) == 0) {
        complete = bk__json_add_text(record, PINNED, manifest->name) && complete;
    }
    tell_and_save(job, record, complete);
}

void bk__record_pinned(struct bk__job *job, char ret_name[BK__NAME_SIZE]) {
    struct json_object *record = bk__record_load(job);
    snprintf(ret_name, BK__NAME_SIZE, "%s", bk__json_text(record, PINNED, ""));
    json_object_put(record);
}

void bk__record_failure(struct bk__job *job, int code, const char *message) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(bk__job_wall(job), stamp);
    struct json_object *record = bk__record_load(job);
    struct json_object *failure = bk__json_object();
    if (record == NULL || failure == NULL) {
        json_object_put(record);
        json_object_put(failure);
        return;
    }
    bool complete = bk__json_add_text(failure, "at", stamp) &&
                    bk__json_add_text(failure, "code", bk_error_name(code)) &&
                    bk__json_add_text(failure, "message", message);
    complete = bk__json_put(record, "last_failure", failure) && complete;
    complete = count(record, "failures_total") && complete;
    complete = bk__json_add_bool(record, FAILING, true) && complete;
    tell_and_save(job, record, complete);
}

void bk__record_rehearsal(struct bk__job *job, struct json_object *rehearsal) {
    struct json_object *record = bk__record_load(job);
    if (record == NULL) {
        json_object_put(rehearsal);
        return;
    }
    bool complete = bk__json_put(record, "rehearsal", rehearsal);
    save(job, record, complete);
}
