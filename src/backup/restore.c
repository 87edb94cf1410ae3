/*
 * backup.restore: a backup into the open stores, into the next start, or into other files.
 * Not the engine's part: the driver restores and replaces. Nothing begins before the archive
 * is verified. Called as a job; the stores' side is restore_stores.c, which apply.c shares.
 */
#include <backup/restore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/foreign/alien.h>
#include <backup/catalogue/catalogue.h>
#include <backup/extract.h>
#include <backup/catalogue/folder.h>
#include <backup/operations.h>
#include <backup/set/set.h>
#include <backup/set/set_read.h>
#include <backup/stage.h>

/* One run of the operation. */
struct run {
    struct bk__job *job;
    const char *dir; /* of the backups */
    struct bk__folder folder;
    struct bk__manifest *manifest;
    const struct bk__manifest *sources[BK__STORES]; /* it, or parts of the set it is */
    size_t count;
    const char *mode;
    bool applied;
    struct bk__restore restore; /* stores[i] gets sources[i] */
    const char *message;
    struct bk__alien alien; /* where the backup is another tool's */
};

static const char *name_of(const struct run *run) {
    return run->alien.name != NULL ? run->alien.name : run->manifest->name;
}

static bool is_set(const struct run *run) {
    return run->manifest->part_count > 0 || run->count > 1;
}

/* ---- which of its stores --------------------------------------------------------------- */

static int no_such_part(const struct run *run, const char *store) {
    for (size_t i = 0; i < run->manifest->part_count; i++) {
        const struct bk__manifest *part = &run->manifest->parts[i];
        if (strcmp(part->part, store) == 0) {
            return bk__fail(
                BK_ENOTFOUND,
                "Backup %s is partial: it has no %s, which could not be saved "
                "then. Nothing was changed. Use another backup for it.",
                run->manifest->name, store);
        }
    }
    return bk__fail(
        BK_ENOTFOUND,
        "Backup %s holds no store %s. Nothing was changed. See its stores with "
        "backup.list.",
        name_of(run), store);
}

static int choose_parts(struct run *run, const char *store) {
    run->count = 0;
    for (size_t i = 0; i < run->manifest->part_count; i++) {
        const struct bk__manifest *part = &run->manifest->parts[i];
        bool wanted = store == NULL || strcmp(store, part->part) == 0;
        if (wanted && part->name[0] != '\0' && run->count < BK__STORES) {
            run->sources[run->count++] = part;
        }
    }
    return run->count > 0 ? 0 : no_such_part(run, store);
}

/* Of another tool's backup what it holds of each store. */
static int choose_images(struct run *run, const char *store) {
    static const char *const stores[BK__IMAGES] = {
        [BK__IMAGE_DATABASE] = "database", [BK__IMAGE_REDIS] = "redis"};
    run->count = 0;
    for (size_t i = 0; i < BK__IMAGES && run->count < BK__STORES; i++) {
        const struct bk__manifest *image = &run->alien.examined.images[i];
        bool wanted = store == NULL || strcmp(store, stores[i]) == 0;
        if (wanted && image->name[0] != '\0') {
            run->sources[run->count++] = image;
        }
    }
    return run->count > 0 ? 0 : no_such_part(run, store);
}

/* What is to be restored, out of the backup that was picked. */
static int choose_sources(struct run *run) {
    const char *store = bk__job_text(run->job, "store");
    if (run->alien.name != NULL) {
        return choose_images(run, store);
    }
    if (run->manifest->part_count > 0) {
        return choose_parts(run, store);
    }
    struct bk__store_site site;
    run->sources[0] = run->manifest;
    run->count = 1;
    if (store == NULL) {
        return 0;
    }
    int rc = bk__restore_site(run->job, run->manifest, store, &site);
    return rc == BK_EUNSUPPORTED ? no_such_part(run, store) : rc;
}

/* All of a set is restored only when all of it is whole; one store of it, when that one is. */
static int choose(struct run *run) {
    bool all = bk__job_text(run->job, "store") == NULL;
    int rc = choose_sources(run);
    return rc == 0 && all && run->manifest->part_count > 0
               ? bk__set_check_bytes(run->job, run->dir, run->manifest)
               : rc;
}

/* Where each of them goes; a backup of one kind of store is nothing to another. */
static int find_sites(struct run *run) {
    struct bk__restore *restore = &run->restore;
    restore->name = name_of(run);
    restore->may_replace = strcmp(run->mode, "live") != 0;
    for (size_t i = 0; i < run->count; i++) {
        int rc =
            bk__restore_site(run->job, run->sources[i], bk__job_text(run->job, "store"),
                             &restore->stores[i].site);
        if (rc != 0) {
            return rc;
        }
    }
    restore->count = run->count;
    return 0;
}

/* ---- the three ways ------------------------------------------------------------------- */

/* Every image is there and verified before the first store is touched. */
static int extract_all(struct run *run) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->count; i++) {
        /* A plain copy of what is encrypted must not lie beside it, whatever the options say. */
        rc =
            run->sources[i]->form.encrypted ? bk__folder_hide(run->job, &run->folder) : 0;
        if (rc == 0) {
            char **image = &run->restore.stores[i].image;
            *image = bk__folder_scratch(&run->folder, run->sources[i]->name, ".image");
            rc = *image == NULL
                     ? BK_ENOMEM
                     : bk__extract_new(run->job, run->dir, run->sources[i], *image);
        }
    }
    return rc;
}

static const char *live_message(const struct bk__restore *done) {
    bool replaced = false;
    bool keeps = false;
    for (size_t i = 0; i < done->count; i++) {
        replaced = replaced || done->stores[i].replaced;
        keeps = keeps || done->stores[i].keeps;
    }
    return keeps && done->count > 1
               ? "The stores are restored, one after the other. Connections to the "
                 "database "
                 "were closed; pools open new ones. What was there is kept under another "
                 "name: drop it when all is well."
           : keeps
               ? "The database is restored. Connections to it were closed; pools open "
                 "new "
                 "ones. What was there is kept under another name: drop it when all is "
                 "well."
           : replaced
               ? "The database was replaced by the backup. A bot that is running must be "
                 "restarted to see it."
           : done->count > 1
               ? "The stores are restored, one after the other. Open connections see the "
                 "restored data from their next statement on; no restart is needed."
               : "The database is restored. Open connections see the restored rows from "
                 "their next statement on; no restart is needed.";
}

static int into_stores(struct run *run) {
    int rc = extract_all(run);
    if (rc == 0) {
        rc = bk__restore_stores(run->job, &run->folder, &run->restore);
    }
    for (size_t i = 0; i < run->count; i++) {
        bk__folder_drop(run->restore.stores[i].image);
    }
    run->mode = "live";
    run->applied = true;
    run->message = live_message(&run->restore);
    return rc;
}

static int into_next_start(struct run *run) {
    struct bk__stage stage = {.count = run->count};
    snprintf(stage.name, sizeof stage.name, "%s", name_of(run));
    for (size_t i = 0; i < run->count; i++) {
        snprintf(stage.stores[i].store, sizeof stage.stores[i].store, "%s",
                 run->restore.stores[i].site.name);
    }
    int rc = bk__stage_make(run->job, run->dir, &stage, run->sources);
    run->mode = "staged";
    run->message =
        "The restore is prepared and verified. It is applied when the bot starts next; "
        "until then nothing changes.";
    return rc;
}

/* One store becomes a file, a set a folder of files; of a set, one store alone a file too. */
static int into_path(struct run *run, const char *to) {
    bool folder =
        run->manifest->part_count > 0 && bk__job_text(run->job, "store") == NULL;
    char *path = bk__file_absolute(to);
    int rc = path == NULL ? bk__fail_memory()
             : folder
                 ? bk__extract_folder(run->job, run->dir, run->sources, run->count, path)
                 : bk__extract_to(run->job, run->dir, run->sources[0], path);
    free(path);
    run->mode = "path";
    run->applied = true;
    run->message =
        folder
            ? "The stores of the backup were restored into files of their own; the bot's "
              "stores were not touched."
            : "The backup was restored into another file; the bot's database was not "
              "touched.";
    return rc;
}

/* The option that names the store, or (into a path, of another tool's) what kind it is. */
static const char *store_of(const struct run *run, size_t i) {
    const char *site = run->restore.stores[i].site.name;
    const struct bk__manifest *source = run->sources[i];
    return source->part[0] != '\0' ? source->part : site != NULL ? site : source->store;
}

/* Of a set: what became of each store. */
static bool add_stores(const struct run *run, struct json_object *result) {
    struct json_object *list = bk__json_list();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < run->count; i++) {
        struct json_object *entry = bk__json_object();
        ok = entry != NULL && bk__json_add_text(entry, "store", store_of(run, i)) &&
             bk__json_add_int(entry, "bytes", run->sources[i]->database_bytes) &&
             bk__json_add_text(entry, "kept", run->restore.stores[i].kept);
        ok = bk__json_append(list, entry) && ok;
    }
    return bk__json_put(result, "stores", list) && ok;
}

static int fill_result(struct run *run) {
    struct json_object *result = bk__job_result(run->job);
    const struct bk__restore *done = &run->restore;
    const char *kept = NULL;
    int64_t bytes = 0;
    for (size_t i = 0; i < run->count; i++) {
        kept = kept != NULL ? kept : done->stores[i].kept;
        bytes += run->sources[i]->database_bytes;
    }
    bool ok =
        bk__json_add_text(result, "name", name_of(run)) &&
        (run->alien.examined.note == NULL ||
         bk__json_add_text(result, "note", run->alien.examined.note)) &&
        bk__json_add_text(result, "mode", run->mode) &&
        bk__json_add_bool(result, "applied", run->applied) &&
        bk__json_add_text(result, "pre_restore",
                          done->pre_restore[0] != '\0' ? done->pre_restore : NULL) &&
        (kept == NULL || bk__json_add_text(result, "kept", kept)) &&
        bk__json_add_int(result, "bytes", bytes) &&
        (!is_set(run) || add_stores(run, result)) &&
        bk__json_add_text(result, "message", run->message);
    return ok ? 0 : bk__fail_memory();
}

static bool is_staged(const struct run *run) {
    return strcmp(run->mode, "staged") == 0;
}

/* Whether it holds that store, read back whole; that another store is missing in it does not matter
   then. */
static bool holds(struct run *run, const struct bk__manifest *item, const char *store) {
    struct bk__store_site site;
    if (item->part_count > 0) {
        const struct bk__manifest *part = bk__manifest_part(item, store);
        return part != NULL && part->verified;
    }
    return item->verified && bk__restore_site(run->job, item, store, &site) == 0 &&
           strcmp(site.name, store) == 0;
}

/* The newest verified one of that store, or (NULL) of all the stores there are. What a restore saved
   before is the newest right after it, and would undo it: only where there is no other. */
static struct bk__manifest *newest(struct run *run, const struct bk__catalogue *catalogue,
                                   const char *store) {
    struct bk__manifest *saved = NULL;
    for (size_t i = 0; i < catalogue->count; i++) {
        struct bk__manifest *item = &catalogue->items[i];
        if (store != NULL ? holds(run, item, store) : bk__set_covers(run->job, item)) {
            if (strcmp(item->kind, "pre_restore") != 0) {
                return item;
            }
            saved = saved == NULL ? item : saved;
        }
    }
    return saved;
}

/* The named one, or the newest. */
static int pick_ours(struct run *run, struct bk__catalogue *catalogue, const char *name) {
    const char *store = bk__job_text(run->job, "store");
    run->manifest = name == NULL ? newest(run, catalogue, store) : NULL;
    if (run->manifest != NULL) {
        return 0;
    }
    if (name == NULL && store != NULL) {
        return bk__fail(BK_ENOTFOUND,
                        "There is no verified backup of the store %s in %s. Nothing was "
                        "touched. Make one with backup.create.",
                        store, run->dir);
    }
    return bk__catalogue_pick(catalogue, run->dir, name, &run->manifest);
}

static int pick_again(struct run *run, struct bk__catalogue *catalogue,
                      const char *name) {
    bk__catalogue_free(catalogue);
    int rc = bk__catalogue_load(run->dir, catalogue);
    return rc != 0 ? rc : pick_ours(run, catalogue, name);
}

/* Looked up again under the lock, so that no other process deletes what is being restored. */
static int in_folder(struct run *run, struct bk__catalogue *catalogue, const char *name) {
    int rc = bk__folder_open(run->job, &run->folder);
    if (rc != 0) {
        return rc;
    }
    rc = run->alien.name != NULL ? 0 : pick_again(run, catalogue, name);
    if (rc == 0) {
        rc = choose(run);
    }
    if (rc == 0) {
        rc = find_sites(run);
    }
    if (rc != 0) {
        return rc;
    }
    return is_staged(run) ? into_next_start(run) : into_stores(run);
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
        return rc != 0 ? rc : pick_ours(run, catalogue, name);
    }
    run->dir = run->alien.scratch.path;
    run->manifest = &run->alien.examined.images[BK__IMAGE_DATABASE];
    if (run->manifest->name[0] == '\0') {
        run->manifest = &run->alien.examined.images[BK__IMAGE_REDIS];
    }
    const char *store = bk__job_text(run->job, "store");
    bool another = store != NULL && strcmp(store, "database") != 0;
    bool to_path = bk__job_text(run->job, "to") != NULL;
    return run->alien.examined.by_hand == NULL || to_path || another
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
    if (rc == 0 && to != NULL) {
        rc = choose(&run);
    }
    if (rc == 0) {
        rc = to != NULL ? into_path(&run, to) : under_lock(&run, &catalogue, name);
    }
    if (rc == 0) {
        rc = fill_result(&run);
    }
    bk__alien_close(&run.alien);
    bk__restore_clear(&run.restore);
    bk__catalogue_free(&catalogue);
    return rc;
}
