/*
 * backup.verify: reading archives to the end and comparing every fact with their manifests.
 * Not the first proof: make.c did that before the backup existed. Writes only the outcome.
 * Called as a job; reads without the folder's lock, which it takes only to note the outcome.
 */
#include <backup/operations.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/foreign/alien.h>
#include <backup/archive/archive.h>
#include <backup/catalogue/catalogue.h>
#include <backup/delta/chain.h>
#include <backup/catalogue/folder.h>
#include <backup/foreign/memo.h>
#include <backup/archive/sample.h>
#include <backup/set/set_read.h>

#define TOLD 5 /* so many failures are told in the error's text */

/* One run over some backups. */
struct check {
    struct bk__job *job;
    const char *dir;
    struct json_object *list;
    const char *depth;  /* as asked for */
    int64_t checked;    /* bytes of the backup at hand that were compared */
    const char *status; /* of the set that is checked; NULL: it is none */
    int64_t verified, failed;
    struct bk__buf why; /* of the failed ones */
};

/* Writes the changed manifest aside and over the old one, if it is still the same backup's. */
static int replace_sheet(const struct bk__folder *folder,
                         const struct bk__manifest *manifest) {
    struct bk__manifest now;
    char why[160];
    int rc = bk__catalogue_read(folder->path, manifest->name, &now, why, sizeof why);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    bool same = strcmp(now.archive_sha256, manifest->archive_sha256) == 0;
    bk__manifest_clear(&now);
    if (!same) {
        return 0;
    }
    char *aside = bk__folder_temp(folder, manifest->name, ".json");
    char *path = bk__catalogue_sheet(folder->path, manifest->name);
    char *text = bk__manifest_print(manifest);
    rc = aside == NULL || path == NULL || text == NULL ? bk__fail_memory()
                                                       : bk__folder_write(aside, text);
    if (rc == 0) {
        int err = bk__file_rename(aside, path);
        err = err == 0 ? bk__file_sync_parent(path) : err;
        if (err != 0) {
            bk__file_remove(aside);
            rc = bk__fail_errno(err, "cannot renew the manifest", path, NULL);
        }
    }
    free(aside);
    free(path);
    free(text);
    return rc;
}

/* The outcome is kept in the manifest; when that cannot be written, the check still counts. */
static void note_outcome(struct check *check, struct bk__manifest *manifest,
                         const char *error, bool shut) {
    struct bk__folder folder = {.lock_fd = -1};
    bool partial = bk__manifest_is_partial(manifest);
    if (!partial || error != NULL) { /* a partial set says why it is one */
        free(manifest->error);
        manifest->error = error == NULL ? NULL : strdup(error);
    }
    manifest->verified = error == NULL && !partial;
    if (manifest->verified &&
        !shut) { /* the whole was read: "verified_at" means no less */
        manifest->verified_ms = bk__job_wall(check->job);
    }
    int rc = bk__folder_open(check->job, &folder);
    if (rc == 0) {
        rc = replace_sheet(&folder, manifest);
    }
    if (rc != 0) {
        bk__job_log(check->job, "warning", "Cannot note that %s was checked: %s",
                    manifest->name, bk__error_text());
    }
    bk__folder_close(&folder);
}

static bool add_entry(struct check *check, const char *name, const char *error,
                      bool shut) {
    struct json_object *entry = bk__json_object();
    bool ok =
        entry != NULL && bk__json_add_text(entry, "name", name) &&
        bk__json_add_bool(entry, "verified", error == NULL) &&
        bk__json_add_text(entry, "depth", shut ? "sealed" : check->depth) &&
        bk__json_add_int(entry, "checked_bytes", check->checked) &&
        (check->status == NULL || bk__json_add_text(entry, "status", check->status)) &&
        (error == NULL || bk__json_add_text(entry, "error", error));
    if (!ok) {
        json_object_put(entry);
        return false;
    }
    return bk__json_append(check->list, entry);
}

static int count_one(struct check *check, const char *name, const char *error,
                     bool shut) {
    if (error == NULL) {
        check->verified++;
        bk__job_log(check->job, "info", "Backup verified%s: %s",
                    shut ? " without its key (SHA-256 and frames)" : "", name);
    } else {
        bk__job_log(check->job, "error", "%s", error);
        if (check->failed++ < TOLD) {
            bk__buf_printf(&check->why, "%s%s", check->failed > 1 ? " " : "", error);
        }
    }
    return add_entry(check, name, error, shut) ? 0 : bk__fail_memory();
}

static bool is_full(const struct check *check) {
    return strcmp(check->depth, "full") == 0;
}

/* Not all of it: an archive by itself, or those of a set's folder one by one. */
static int look_at(struct check *check, const struct bk__manifest *manifest) {
    struct bk__sample sample = {.parts = strcmp(check->depth, "sample") == 0};
    char *path = bk__catalogue_archive(check->dir, manifest);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    sample.until_mono =
        bk__job_mono(check->job) + bk__job_int(check->job, "deadline_ms", 0);
    int rc = bk__sample_check(check->job, path, manifest, &sample);
    check->checked += sample.checked;
    free(path);
    return rc;
}

static int look_at_parts(struct check *check, const struct bk__manifest *set) {
    int rc = 0;
    if (!bk__form_is_folder(&set->form)) {
        return look_at(check, set);
    }
    for (size_t i = 0; rc == 0 && i < set->part_count; i++) {
        if (set->parts[i].name[0] != '\0') {
            rc = look_at(check, &set->parts[i]);
        }
    }
    return rc;
}

static int read_one(struct check *check, struct bk__manifest *manifest) {
    const struct bk__archive_sink sink = {
        .phase = "verify", .out_fd = -1, .may_be_shut = true};
    check->status = NULL;
    check->checked = 0;
    if (manifest->part_count > 0) {
        check->status = bk__manifest_is_partial(manifest) ? "partial" : "complete";
    }
    if (!is_full(check)) {
        return look_at_parts(check, manifest);
    }
    check->checked = manifest->bytes;
    if (manifest->part_count > 0) {
        return bk__set_check(check->job, check->dir, manifest);
    }
    return bk__chain_is_delta(manifest)
               ? bk__chain_check(check->job, check->dir, manifest)
               : bk__set_read(check->job, check->dir, manifest, &sink);
}

static int check_one(struct check *check, struct bk__manifest *manifest) {
    int rc = read_one(check, manifest);
    if (rc < 0 && rc != BK_ECORRUPT) {
        return rc;
    }
    char *error = rc >= 0 ? NULL : strdup(bk__error_text());
    if (rc < 0 && error == NULL) {
        return bk__fail_memory();
    }
    bool shut = rc == 1;
    if (is_full(check) || error != NULL) { /* a look that found nothing proves nothing */
        note_outcome(check, manifest, error, shut);
    }
    rc = count_one(check, manifest->name, error, shut);
    free(error);
    return rc;
}

static int check_broken(struct check *check, const struct bk__broken *broken) {
    check->status = NULL;
    check->checked = 0;
    char error[BK__NAME_SIZE + 256];
    snprintf(error, sizeof error, "Backup %s cannot be used: %s.", broken->name,
             broken->why);
    return count_one(check, broken->name, error, false);
}

/* ---- other tools' --------------------------------------------------------------------- */

/* What is known of a foreign one beside that it is whole. */
static bool add_found(struct json_object *entry, const struct bk__foreign *foreign,
                      const struct bk__examined *found) {
    return bk__json_add_text(entry, "format",
                             bk__content_names[foreign->guess.content]) &&
           (found->tables == NULL ||
            bk__json_put(entry, "tables", json_object_get(found->tables))) &&
           (found->note == NULL || bk__json_add_text(entry, "note", found->note)) &&
           (found->by_hand == NULL ||
            bk__json_add_text(entry, "by_hand", found->by_hand));
}

/* What cannot be looked into (another version's format) is neither good nor torn: it is told. */
static int check_foreign(struct check *check, const struct bk__scratch *scratch,
                         struct bk__foreign *foreign, bool alone) {
    struct bk__examined found = {0};
    int rc = bk__alien_examine(check->job, scratch, foreign, &found);
    if (rc != 0 && rc != BK_ECORRUPT && (alone || rc != BK_EUNSUPPORTED)) {
        return rc;
    }
    char *error = rc == 0 ? NULL : strdup(bk__error_text());
    if (rc != 0 && error == NULL) {
        return bk__fail_memory();
    }
    bool good = rc == 0;
    check->checked = foreign->bytes;
    rc = count_one(check, foreign->name, error, false);
    if (rc == 0 && good) {
        size_t last = json_object_array_length(check->list) - 1;
        struct json_object *entry = json_object_array_get_idx(check->list, last);
        rc = add_found(entry, foreign, &found) ? 0 : bk__fail_memory();
    }
    free(error);
    bk__examined_free(&found);
    return rc;
}

/* The one of that name, or (NULL) all. 1: there is none of that name. */
static int check_foreigners(struct check *check, const struct bk__catalogue *catalogue,
                            const char *name) {
    struct bk__foreigners list = {0};
    struct bk__scratch scratch = {0};
    int rc = bk__foreign_list(check->job, catalogue, &list);
    struct bk__foreign *one =
        rc == 0 && name != NULL ? bk__foreign_find(&list, name) : NULL;
    if (rc == 0 && name != NULL && one == NULL) {
        bk__foreign_free(&list);
        return 1;
    }
    if (rc == 0) {
        rc = bk__scratch_open(check->job, &scratch);
    }
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        if (one == NULL || one == &list.items[i]) {
            rc = check_foreign(check, &scratch, &list.items[i], one != NULL);
            bk__scratch_empty(&scratch);
        }
    }
    if (scratch.path != NULL) {
        bk__memo_save(check->job, &list);
    }
    bk__scratch_close(&scratch);
    bk__foreign_free(&list);
    return rc;
}

/* ---- the operation -------------------------------------------------------------------- */

static int check_chosen(struct check *check, struct bk__catalogue *catalogue) {
    struct bk__manifest *chosen = NULL;
    const char *name = bk__job_text(check->job, "name");
    bool all = bk__job_bool(check->job, "all", false);
    int rc = 0;
    if (name != NULL && !all && !bk__catalogue_has(catalogue, name)) {
        rc = check_foreigners(check, catalogue, name);
        if (rc != 1) {
            return rc;
        }
    }
    if (bk__job_bool(check->job, "foreign", false)) {
        rc = check_foreigners(check, catalogue, NULL);
        if (rc != 0 || !all) {
            return rc;
        }
    }
    if (!all) {
        if (name == NULL && catalogue->count > 0) {
            chosen = &catalogue->items[0];
        } else {
            rc = bk__catalogue_pick(catalogue, check->dir, name, &chosen);
        }
        return rc != 0 ? rc : check_one(check, chosen);
    }
    for (size_t i = 0; rc == 0 && i < catalogue->count; i++) {
        rc = check_one(check, &catalogue->items[i]);
    }
    for (size_t i = 0; rc == 0 && i < catalogue->broken_count; i++) {
        rc = check_broken(check, &catalogue->broken[i]);
    }
    return rc;
}

static int finish(struct check *check) {
    struct json_object *result = bk__job_result(check->job);
    struct json_object *list = check->list;
    if (check->failed > 0) {
        char *why = bk__buf_take(&check->why);
        int rc = why == NULL
                     ? bk__fail_memory()
                     : bk__fail(BK_ECORRUPT, "%s%s", why,
                                check->failed > TOLD ? " And more: see the log." : "");
        free(why);
        return rc;
    }
    check->list = NULL;
    bool ok = bk__json_put(result, "backups", list) &&
              bk__json_add_int(result, "verified", check->verified) &&
              bk__json_add_int(result, "failed", check->failed);
    return ok ? 0 : bk__fail_memory();
}

int bk__backup_verify(struct bk__job *job) {
    struct bk__catalogue catalogue = {0};
    struct check check = {.job = job, .depth = bk__job_text(job, "depth")};
    if (bk__job_int(job, "deadline_ms", 0) < 0) {
        return bk__fail(BK_EINVAL,
                        "\"deadline_ms\" cannot be negative. Nothing was read.");
    }
    check.dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    check.list = bk__json_list();
    int rc = check.list == NULL ? bk__fail_memory()
                                : bk__catalogue_load(check.dir, &catalogue);
    if (rc == 0) {
        rc = check_chosen(&check, &catalogue);
    }
    if (rc == 0) {
        rc = finish(&check);
    }
    json_object_put(check.list);
    bk__buf_free(&check.why);
    bk__catalogue_free(&catalogue);
    return rc;
}
