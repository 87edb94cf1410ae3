/*
 * backup.restore: a backup into the open database, into the next start, or into another file.
 * Not the engine's part: the driver restores and replaces. Nothing begins before the archive
 * is verified. Called as a job; apply.c shares bk__restore_image().
 */
#include <backup/restore.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/alien.h>
#include <backup/catalogue.h>
#include <backup/extract.h>
#include <backup/folder.h>
#include <backup/make.h>
#include <backup/operations.h>
#include <backup/prune.h>
#include <backup/stage.h>

/* ---- the database --------------------------------------------------------------------- */

/* The safety backup of what is there now. Retention spares the backup being restored. */
static int save_present(struct bk__job *job, const struct bk__folder *folder,
                        struct bk__store *store, struct bk__restoring *restoring) {
    struct bk__manifest saved = {0};
    const struct bk__make request = {
        .kind = "pre_restore",
        .compress = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_COMPRESS)};
    int rc = bk__make_backup(job, folder, store, &request, &saved);
    if (rc == 0) {
        memcpy(restoring->pre_restore, saved.name, sizeof saved.name);
        bk__job_log(job, "info", "Backup created: %s (%.1f MB)", saved.name,
                    (double)saved.bytes / 1048576);
        json_object_put(bk__prune_after(job, folder, restoring->name));
        bk__manifest_clear(&saved);
    }
    return rc;
}

static int replace(struct bk__job *job, struct bk__restoring *restoring) {
    const char *database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    const struct bk__store_driver *driver = bk__store_driver_for(database);
    if (driver == NULL) {
        return BK_EINVAL;
    }
    int rc = driver->replace(job, database, restoring->image, &restoring->kept);
    restoring->replaced = rc == 0;
    return rc;
}

/* Missing or no database. Any other reason (a full disk, a lock) is no reason to replace it. */
static bool is_beyond_opening(struct bk__job *job, int rc) {
    const char *database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    return rc == BK_ECORRUPT || (rc == BK_ENOTFOUND && !bk__file_exists(database));
}

/* What the driver cannot do in place it can do as a whole file, once nobody has it open. */
static bool needs_replacing(const struct bk__restoring *restoring, int rc) {
    return restoring->may_replace && (rc == BK_ECORRUPT || rc == BK_EUNSUPPORTED);
}

/* A server has no file to be replaced: it is restored while it runs, or not at all. */
static bool can_replace(struct bk__job *job) {
    const char *database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    const struct bk__store_driver *driver = bk__store_driver_for(database);
    return driver != NULL && driver->replace != NULL;
}

int bk__restore_image(struct bk__job *job, const struct bk__folder *folder,
                      struct bk__restoring *restoring) {
    struct bk__store *store = NULL;
    restoring->may_replace = restoring->may_replace && can_replace(job);
    int rc = bk__store_open(&store, job, false);
    if (rc != 0) {
        bool replaces = restoring->may_replace && is_beyond_opening(job, rc);
        return replaces ? replace(job, restoring) : rc;
    }
    rc = save_present(job, folder, store, restoring);
    if (rc == 0) {
        rc = store->driver->restore(store, restoring->image, &restoring->kept);
    }
    bk__store_close(store);
    return needs_replacing(restoring, rc) ? replace(job, restoring) : rc;
}

/* ---- the three ways ------------------------------------------------------------------- */

/* One run of the operation. */
struct run {
    struct bk__job *job;
    const char *dir; /* of the backups */
    struct bk__folder folder;
    struct bk__manifest *manifest;
    const char *mode;
    bool applied;
    struct bk__restoring restoring;
    const char *message;
    struct bk__alien alien; /* where the backup is another tool's */
};

static int into_database(struct run *run) {
    struct bk__restoring *restoring = &run->restoring;
    /* A plain copy of what is encrypted must not lie beside it, whatever the options say now. */
    int rc = run->manifest->form.encrypted ? bk__folder_hide(run->job, &run->folder) : 0;
    if (rc != 0) {
        return rc;
    }
    char *image = bk__folder_scratch(&run->folder, run->manifest->name, ".image");
    if (image == NULL) {
        return BK_ENOMEM;
    }
    restoring->name = run->manifest->name;
    restoring->image = image;
    restoring->may_replace = strcmp(run->mode, "live") != 0;
    rc = bk__extract_new(run->job, run->dir, run->manifest, image);
    if (rc == 0) {
        rc = bk__restore_image(run->job, &run->folder, restoring);
    }
    bk__folder_drop(image);
    free(image);
    restoring->image = NULL;
    run->mode = "live";
    run->applied = true;
    run->message =
        restoring->replaced
            ? "The database was replaced by the backup. A bot that is running must be "
              "restarted to see it."
            : "The database is restored. Open connections see the restored rows from "
              "their next statement on; no restart is needed.";
    return rc;
}

static int into_next_start(struct run *run) {
    int rc = bk__stage_make(run->job, run->dir, run->manifest);
    run->mode = "staged";
    run->message =
        "The restore is prepared and verified. It is applied when the bot starts next; "
        "until then nothing changes.";
    return rc;
}

static int into_path(struct run *run, const char *to) {
    char *path = bk__file_absolute(to);
    int rc = path == NULL ? bk__fail_memory()
                          : bk__extract_to(run->job, run->dir, run->manifest, path);
    free(path);
    run->mode = "path";
    run->applied = true;
    run->message =
        "The backup was restored into another file; the bot's database was not "
        "touched.";
    return rc;
}

static int fill_result(struct run *run) {
    struct json_object *result = bk__job_result(run->job);
    const struct bk__restoring *done = &run->restoring;
    bool ok =
        bk__json_add_text(result, "name",
                          run->alien.name != NULL ? run->alien.name
                                                  : run->manifest->name) &&
        (run->alien.examined.note == NULL ||
         bk__json_add_text(result, "note", run->alien.examined.note)) &&
        bk__json_add_text(result, "mode", run->mode) &&
        bk__json_add_bool(result, "applied", run->applied) &&
        bk__json_add_text(result, "pre_restore",
                          done->pre_restore[0] != '\0' ? done->pre_restore : NULL) &&
        (done->kept == NULL || bk__json_add_text(result, "kept", done->kept)) &&
        bk__json_add_int(result, "bytes", run->manifest->database_bytes) &&
        bk__json_add_text(result, "message", run->message);
    return ok ? 0 : bk__fail_memory();
}

/* A backup of one kind of store is nothing to another. */
static int check_store(struct run *run) {
    const char *database = bk__config_text(bk__job_config(run->job), BK__OPT_DATABASE);
    const struct bk__store_driver *driver = bk__store_driver_for(database);
    if (driver == NULL) {
        return BK_EINVAL;
    }
    if (strcmp(driver->name, run->manifest->store) != 0) {
        return bk__fail(BK_EUNSUPPORTED,
                        "Backup %s holds a %s database, and the option database "
                        "names a %s one. Nothing was changed. Restore it to a "
                        "path instead (\"to\").",
                        run->manifest->name, run->manifest->store, driver->name);
    }
    return 0;
}

static bool is_staged(const struct run *run) {
    return strcmp(run->mode, "staged") == 0;
}

static int pick_again(struct run *run, struct bk__catalogue *catalogue,
                      const char *name) {
    bk__catalogue_free(catalogue);
    int rc = bk__catalogue_load(run->dir, catalogue);
    return rc != 0 ? rc : bk__catalogue_pick(catalogue, run->dir, name, &run->manifest);
}

/* Looked up again under the lock, so that no other process deletes what is being restored. */
static int in_folder(struct run *run, struct bk__catalogue *catalogue, const char *name) {
    int rc = bk__folder_open(run->job, &run->folder);
    if (rc != 0) {
        return rc;
    }
    rc = run->alien.name != NULL ? 0 : pick_again(run, catalogue, name);
    if (rc == 0) {
        rc = check_store(run);
    }
    if (rc != 0) {
        return rc;
    }
    return is_staged(run) ? into_next_start(run) : into_database(run);
}

/* The lock of staging comes before the folder's, here as in apply.c. */
static int under_lock(struct run *run, struct bk__catalogue *catalogue,
                      const char *name) {
    int lock = -1;
    if (is_staged(run)) {
        lock = bk__stage_lock(run->job);
        if (lock < 0) {
            return lock;
        }
    }
    int rc = in_folder(run, catalogue, name);
    bk__folder_close(&run->folder);
    if (lock >= 0) {
        bk__file_close(lock);
    }
    return rc;
}

/* One of ours; or, where the name is another tool's, an image of that, which is then restored as an
   archive of ours would be. */
static int pick(struct run *run, struct bk__catalogue *catalogue, const char *name) {
    int rc = bk__alien_open(run->job, catalogue, name, &run->alien);
    if (rc != 0 || run->alien.name == NULL) {
        return rc != 0 ? rc
                       : bk__catalogue_pick(catalogue, run->dir, name, &run->manifest);
    }
    run->dir = run->alien.scratch.path;
    run->manifest = &run->alien.examined.images[BK__IMAGE_DATABASE];
    if (run->manifest->name[0] == '\0') {
        run->manifest = &run->alien.examined.images[BK__IMAGE_REDIS];
    }
    bool to_path = bk__job_text(run->job, "to") != NULL;
    return run->alien.examined.by_hand == NULL || to_path
               ? 0
               : bk__fail(BK_EUNSUPPORTED,
                          "Backup %s is whole, but is not restored by botkeep. Nothing "
                          "was changed. %s; \"to\" writes it unpacked to a path.",
                          run->alien.name, run->alien.examined.by_hand);
}

int bk__backup_restore(struct bk__job *job) {
    struct bk__catalogue catalogue = {0};
    struct run run = {.job = job, .folder = {.lock_fd = -1}};
    const char *name = bk__job_text(job, "name");
    const char *mode = bk__job_text(job, "mode");
    const char *to = bk__job_text(job, "to");
    run.mode = mode == NULL ? "auto" : mode;
    if (strcmp(run.mode, "auto") == 0 &&
        bk__config_bool(bk__job_config(job), BK__OPT_DATABASE_MEMORY)) {
        run.mode = "staged"; /* what the bot has in memory would overwrite it */
    }
    run.dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    /* First without the lock: a restore from a folder that is not there makes none, and one into
       another file needs only to read. */
    int rc = bk__catalogue_load(run.dir, &catalogue);
    if (rc == 0) {
        rc = pick(&run, &catalogue, name);
    }
    if (rc == 0) {
        rc = to != NULL ? into_path(&run, to) : under_lock(&run, &catalogue, name);
    }
    if (rc == 0) {
        rc = fill_result(&run);
    }
    bk__alien_close(&run.alien);
    free(run.restoring.kept);
    bk__catalogue_free(&catalogue);
    return rc;
}
