/*
 * state.dir/backup.json: when a backup last succeeded and why one last failed.
 * Not the list of backups: that is backup.dir itself. Losing this file loses no data.
 * Called by create.c under the folder's lock, and by status.c.
 */
#include <backup/record.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/manifest.h>

#define RECORD_LIMIT 65536

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

void bk__record_success(struct bk__job *job, const struct bk__manifest *manifest) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(manifest->created_ms, stamp);
    struct json_object *record = bk__record_load(job);
    if (record == NULL) {
        return;
    }
    bool complete = bk__json_add_text(record, "last_success_at", stamp) &&
                    bk__json_add_text(record, "last_success_name", manifest->name);
    save(job, record, complete);
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
    save(job, record, complete);
}
