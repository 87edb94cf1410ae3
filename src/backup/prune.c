/*
 * Deleting backups that retention has marked: the archive, then its manifest.
 * Not the decision: retention.c. Nothing without our own sound manifest is ever deleted.
 * Called by create.c and restore.c after a new backup, and as the operation backup.prune.
 */
#include <backup/prune.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue.h>
#include <backup/folder.h>
#include <backup/operations.h>
#include <backup/retention.h>

int bk__prune_remove(const char *dir, const char *name) {
    char file[BK__NAME_SIZE + 8];
    snprintf(file, sizeof file, "%s.json", name);
    char *archive = bk__file_join(dir, name);
    char *manifest = bk__file_join(dir, file);
    int rc = archive == NULL || manifest == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        int err = bk__file_remove(archive);
        err = err == 0 ? bk__file_remove(manifest) : err;
        if (err != 0) {
            rc = bk__fail_errno(err, "cannot delete the backup", archive, NULL);
        }
    }
    free(archive);
    free(manifest);
    return rc;
}

static bool note_deleted(struct json_object *list, const struct bk__retain *item) {
    struct json_object *entry = bk__json_object();
    if (entry == NULL || !bk__json_add_text(entry, "name", item->name) ||
        !bk__json_add_text(entry, "reason", item->reason)) {
        json_object_put(entry);
        return false;
    }
    return bk__json_append(list, entry);
}

static int64_t size_of(const struct bk__catalogue *catalogue, const char *name) {
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->items[i].name, name) == 0) {
            return catalogue->items[i].bytes;
        }
    }
    return 0;
}

static int remove_marked(const char *dir, const struct bk__catalogue *catalogue,
                         const struct bk__retain *items, struct bk__prune *prune) {
    int rc = 0;
    for (size_t i = catalogue->count; rc == 0 && i-- > 0;) { /* the oldest first */
        if (!items[i].drop) {
            prune->kept++;
            continue;
        }
        rc = prune->dry_run ? 0 : bk__prune_remove(dir, items[i].name);
        if (rc == 0) {
            prune->freed_bytes += size_of(catalogue, items[i].name);
            rc = note_deleted(prune->deleted, &items[i]) ? 0 : bk__fail_memory();
        }
    }
    if (rc == 0 && !prune->dry_run && json_object_array_length(prune->deleted) > 0) {
        int err = bk__file_sync_dir(dir);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot flush the folder", dir, NULL);
    }
    return rc;
}

static struct bk__retain *list_items(const struct bk__catalogue *catalogue) {
    struct bk__retain *items = calloc(catalogue->count + 1, sizeof *items);
    for (size_t i = 0; items != NULL && i < catalogue->count; i++) {
        const struct bk__manifest *from = &catalogue->items[i];
        memcpy(items[i].name, from->name, sizeof from->name);
        memcpy(items[i].kind, from->kind, sizeof from->kind);
        items[i].sequence = from->sequence;
        items[i].created_ms = from->created_ms;
        items[i].verified = from->verified;
    }
    return items;
}

int bk__prune_folder(const char *dir, struct bk__prune *prune) {
    struct bk__catalogue catalogue;
    int rc = bk__catalogue_load(dir, &catalogue);
    if (rc != 0) {
        return rc;
    }
    struct bk__retain *items = list_items(&catalogue);
    prune->deleted = bk__json_list();
    prune->kept = 0;
    prune->freed_bytes = 0;
    if (items == NULL || prune->deleted == NULL) {
        rc = bk__fail_memory();
    } else {
        bk__retention_decide(items, catalogue.count, prune->keep, prune->spare);
        rc = remove_marked(dir, &catalogue, items, prune);
    }
    free(items);
    bk__catalogue_free(&catalogue);
    return rc;
}

struct json_object *bk__prune_after(struct bk__job *job, const struct bk__folder *folder,
                                    const char *spare) {
    struct bk__prune prune = {
        .keep = bk__config_int(bk__job_config(job), BK__OPT_BACKUP_KEEP), .spare = spare};
    if (bk__prune_folder(folder->path, &prune) != 0) {
        bk__job_log(job, "warning",
                    "The new backup is good, but old ones could not all be "
                    "deleted: %s",
                    bk__error_text());
    }
    size_t count = prune.deleted == NULL ? 0 : json_object_array_length(prune.deleted);
    for (size_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(prune.deleted, i);
        bk__job_log(job, "info", "Deleted old backup: %s (%s)",
                    bk__json_text(entry, "name", ""), bk__json_text(entry, "reason", ""));
    }
    return prune.deleted;
}

/* ---- the operation -------------------------------------------------------------------- */

static int fill_result(struct bk__job *job, struct bk__prune *prune) {
    struct json_object *result = bk__job_result(job);
    struct json_object *deleted = prune->deleted;
    prune->deleted = NULL;
    if (!bk__json_put(result, "deleted", deleted) ||
        !bk__json_add_int(result, "kept", prune->kept) ||
        !bk__json_add_bool(result, "dry_run", prune->dry_run) ||
        !bk__json_add_int(result, "freed_bytes", prune->freed_bytes)) {
        return bk__fail_memory();
    }
    return 0;
}

/* Whether there is a folder at all: pruning makes none. */
static bool has_folder(struct bk__job *job) {
    return bk__file_exists(bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR));
}

int bk__backup_prune(struct bk__job *job) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    int64_t keep = bk__config_int(bk__job_config(job), BK__OPT_BACKUP_KEEP);
    struct bk__prune prune = {.keep = bk__job_int(job, "keep", keep),
                              .dry_run = bk__job_bool(job, "dry_run", false)};
    struct bk__folder folder = {.lock_fd = -1};
    int rc = 0;
    if (prune.keep < 0) {
        return bk__fail(BK_EINVAL,
                        "\"keep\" cannot be negative. Nothing was deleted. Give the "
                        "number of backups of each kind to keep, or 0 for all.");
    }
    if (!prune.dry_run && has_folder(job)) {
        rc = bk__folder_open(job, &folder);
    }
    if (rc == 0) {
        rc = bk__prune_folder(dir, &prune);
    }
    if (rc == 0) {
        rc = fill_result(job, &prune);
    }
    json_object_put(prune.deleted);
    bk__folder_close(&folder);
    return rc;
}
