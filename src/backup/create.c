/*
 * backup.create: one backup, then retention, then the record of how it went.
 * Not how a backup is made: make.c. Not the schedule: core runs it.
 * Called as a job; migrations call it by bk__job_call before a batch.
 */
#include <backup/operations.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/folder.h>
#include <backup/make.h>
#include <backup/manifest.h>
#include <backup/prune.h>
#include <backup/record.h>

/* Moves every member of the shown manifest into the job's result. */
static bool copy_members(struct json_object *from, struct json_object *to) {
    json_object_object_foreach(from, name, value) {
        if (!bk__json_put(to, name, json_object_get(value))) {
            return false;
        }
    }
    return true;
}

/* The names alone: {name, reason} is for the log and for backup.prune. */
static struct json_object *names_of(struct json_object *deleted) {
    struct json_object *names = bk__json_list();
    size_t count = deleted == NULL ? 0 : json_object_array_length(deleted);
    for (size_t i = 0; names != NULL && i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(deleted, i);
        struct json_object *name = json_object_get(bk__json_member(entry, "name"));
        if (!bk__json_append(names, name)) {
            json_object_put(names);
            return NULL;
        }
    }
    return names;
}

static int fill_result(struct bk__job *job, const struct bk__folder *folder,
                       const struct bk__manifest *manifest, struct json_object *deleted) {
    struct json_object *result = bk__job_result(job);
    struct json_object *facts = bk__manifest_show(manifest, false);
    struct json_object *pruned = names_of(deleted);
    char *path = bk__folder_file(folder, manifest->name);
    bool ok = facts != NULL && pruned != NULL && path != NULL &&
              copy_members(facts, result) && bk__json_add_text(result, "path", path);
    if (pruned != NULL) {
        ok = bk__json_put(result, "pruned", pruned) && ok;
    }
    json_object_put(facts);
    free(path);
    return ok ? 0 : bk__fail_memory();
}

static int create_in(struct bk__job *job, const struct bk__folder *folder) {
    struct bk__store *store = NULL;
    struct bk__manifest manifest = {0};
    const char *compress = bk__job_text(job, "compress");
    struct bk__make request = {.kind = bk__job_text(job, "kind"),
                               .note = bk__job_text(job, "note"),
                               .compress = compress};
    if (compress == NULL) {
        request.compress = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_COMPRESS);
    }
    int rc = bk__store_open(&store, job, false);
    if (rc == 0) {
        rc = bk__make_backup(job, folder, store, &request, &manifest);
    }
    bk__store_close(store);
    if (rc != 0) {
        return rc;
    }
    bk__record_success(job, &manifest);
    bk__job_log(job, "info", "Backup created: %s (%.1f MB)", manifest.name,
                (double)manifest.bytes / 1048576);
    struct json_object *deleted = bk__prune_after(job, folder, manifest.name);
    rc = fill_result(job, folder, &manifest, deleted);
    json_object_put(deleted);
    bk__manifest_clear(&manifest);
    return rc;
}

int bk__backup_create(struct bk__job *job) {
    struct bk__folder folder = {.lock_fd = -1};
    int rc = bk__folder_open(job, &folder);
    if (rc == 0) {
        rc = create_in(job, &folder);
    }
    if (rc != 0 && rc != BK_ECANCELLED) {
        char *text = strdup(bk__error_text());
        if (text != NULL) {
            bk__record_failure(job, rc, text);
            rc = bk__fail(rc, "%s", text);
        }
        free(text);
    }
    bk__folder_close(&folder);
    return rc;
}
