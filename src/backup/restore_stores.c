/*
 * The stores' side of a restore: opened, saved, restored or replaced, one after the other.
 * Not which backup, and not its images: restore.c and apply.c bring them. The engine's part is the
 * driver's.
 */
#include <backup/restore.h>

#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/catalogue/manifest.h>
#include <backup/prune.h>
#include <backup/set/set.h>

/* A set's part says which store it is of; the backup of one store says its kind alone. */
static bool is_meant(const struct bk__manifest *manifest, const char *store,
                     const char *name) {
    const char *only = manifest->part[0] != '\0' ? manifest->part : store;
    return only == NULL || strcmp(only, name) == 0;
}

int bk__restore_site(struct bk__job *job, const struct bk__manifest *manifest,
                     const char *store, struct bk__store_site *ret) {
    struct bk__store_site sites[BK__STORES] = {{"database", ""}};
    size_t count = bk__store_sites(job, sites);
    const char *other = "other";
    int found = 0;
    for (size_t i = 0; i < count || i == 0; i++) { /* none set: the first says so */
        const struct bk__store_driver *driver = bk__store_driver_for(sites[i].url);
        if (driver == NULL) {
            return *sites[i].url == '\0' ? BK_EINVAL : BK_EUNSUPPORTED;
        }
        other = driver->name;
        if (is_meant(manifest, store, sites[i].name) &&
            strcmp(driver->name, manifest->store) == 0) {
            *ret = sites[i];
            found++;
        }
    }
    if (found == 1) {
        return 0;
    }
    return found > 1
               ? bk__fail(BK_EINVAL,
                          "Backup %s is of a %s store, and the bot has two of them. "
                          "Nothing was changed. Say with \"store\" which one gets it.",
                          manifest->name, manifest->store)
               : bk__fail(BK_EUNSUPPORTED,
                          "Backup %s holds a %s store, and the options name none of that "
                          "kind, but %s. Nothing was changed. Set the option, restore "
                          "another store alone (\"store\"), or restore to a path "
                          "(\"to\").",
                          manifest->name, manifest->store, other);
}

void bk__restore_clear(struct bk__restore *restore) {
    for (size_t i = 0; i < restore->count; i++) {
        struct bk__restoring *one = &restore->stores[i];
        free(one->image);
        free(one->kept);
        one->image = NULL;
        one->kept = NULL;
    }
}

/* One run; set.stores are the restore's, in the same order. */
struct run {
    struct bk__job *job;
    const struct bk__folder *folder;
    struct bk__restore *restore;
    struct bk__set set;
};

/* ---- opening ------------------------------------------------------------------------------ */

/* Missing or no database. Any other reason (a full disk, a lock) is no reason to replace it, and
   some stores have nothing to be replaced. */
static bool may_replace(const struct run *run, size_t i, int rc) {
    const char *url = run->restore->stores[i].site.url;
    const struct bk__store_driver *driver = bk__store_driver_for(url);
    return run->restore->may_replace && driver != NULL && driver->replace != NULL &&
           (rc == BK_ECORRUPT || (rc == BK_ENOTFOUND && !bk__file_exists(url)));
}

/* Nothing is changed before every store that is not to be replaced is open. */
static int open_all(struct run *run) {
    run->set.count = run->restore->count;
    run->set.whole = true;
    for (size_t i = 0; i < run->set.count; i++) {
        struct bk__set_store *one = &run->set.stores[i];
        one->site = run->restore->stores[i].site;
        int rc = bk__store_open_at(&one->store, run->job, one->site.url, false);
        char *why = rc == 0 ? NULL : strdup(bk__error_text());
        if (rc != 0 && !may_replace(run, i, rc)) {
            rc = bk__fail(rc, "%s", why == NULL ? "out of memory" : why);
            free(why);
            return rc;
        }
        free(why);
        if (one->store != NULL) {
            run->restore->stores[i].keeps = one->store->driver->keeps;
        }
    }
    return 0;
}

/* What can be known to fail is found before anything is saved or changed. */
static int check_ready(const struct run *run) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->set.count; i++) {
        struct bk__store *store = run->set.stores[i].store;
        if (store != NULL && store->driver->ready != NULL) {
            rc = store->driver->ready(store, run->restore->stores[i].image);
        }
    }
    return rc;
}

/* ---- saving ------------------------------------------------------------------------------- */

/* What the driver cannot do in place it can do as a whole file, once nobody has it open. */
static bool needs_replacing(const struct run *run, const struct bk__store_driver *driver,
                            int rc) {
    return run->restore->may_replace && driver->replace != NULL &&
           (rc == BK_ECORRUPT || rc == BK_EUNSUPPORTED);
}

/* The stores whose present state a backup must keep: they are open, and do not keep it themselves.
   which[] are their places in run->set, which goes on owning them. */
static void choose_saved(const struct run *run, struct bk__set *ret,
                         size_t which[BK__STORES]) {
    *ret = (struct bk__set){.whole = true};
    for (size_t i = 0; i < run->set.count; i++) {
        if (run->set.stores[i].store != NULL && !run->restore->stores[i].keeps) {
            which[ret->count] = i;
            ret->stores[ret->count++] = run->set.stores[i];
        }
    }
}

static int save(struct run *run, struct bk__set *saved) {
    struct bk__manifest made = {0};
    struct bk__job *job = run->job;
    const struct bk__make request = {
        .kind = "pre_restore",
        .compress = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_COMPRESS)};
    struct bk__set_store *first = &saved->stores[0];
    if (saved->count == 1) {
        first->rc = bk__make_backup(job, run->folder, first->store, &request, &made);
    }
    int rc = saved->count == 1 ? first->rc
                               : bk__set_make(job, run->folder, saved, &request, &made);
    if (rc == 0) {
        memcpy(run->restore->pre_restore, made.name, sizeof made.name);
        bk__job_log(job, "info", "Backup created: %s (%.1f MB)", made.name,
                    (double)made.bytes / 1048576);
        json_object_put(bk__prune_after(job, run->folder, run->restore->name));
        bk__manifest_clear(&made);
    }
    return rc;
}

/* A store of which nothing sound can be saved is closed, to be replaced as a file. Whether there was
   such a one. */
static bool give_up(struct run *run, struct bk__set *saved,
                    const size_t which[BK__STORES]) {
    bool any = false;
    for (size_t i = 0; i < saved->count; i++) {
        struct bk__set_store *one = &run->set.stores[which[i]];
        if (saved->stores[i].rc != 0 &&
            needs_replacing(run, one->store->driver, saved->stores[i].rc)) {
            bk__store_close(one->store);
            one->store = NULL;
            any = true;
        }
        free(saved->stores[i].why);
    }
    return any;
}

/* The safety backup of what is there now. Retention spares the backup being restored. */
static int save_present(struct run *run) {
    struct bk__set saved;
    size_t which[BK__STORES] = {0};
    for (;;) {
        choose_saved(run, &saved, which);
        int rc = saved.count == 0 ? 0 : save(run, &saved);
        if (!give_up(run, &saved, which) || rc == 0) {
            return rc;
        }
    }
}

/* ---- restoring ---------------------------------------------------------------------------- */

static int replace(struct run *run, struct bk__restoring *one) {
    const struct bk__store_driver *driver = bk__store_driver_for(one->site.url);
    if (driver == NULL || driver->replace == NULL) {
        return bk__fail(
            BK_EUNSUPPORTED,
            "The store %s cannot be opened, and a store of its kind cannot be replaced "
            "as a whole. It was not changed. Repair it, or restore with \"to\".",
            one->site.name);
    }
    int rc = driver->replace(run->job, one->site.url, one->image, &one->kept);
    one->replaced = rc == 0;
    return rc;
}

static int restore_one(struct run *run, size_t i) {
    struct bk__restoring *one = &run->restore->stores[i];
    struct bk__store *store = run->set.stores[i].store;
    if (store == NULL) {
        return replace(run, one);
    }
    const struct bk__store_driver *driver = store->driver;
    int rc = driver->restore(store, one->image, &one->kept);
    bk__store_close(store);
    run->set.stores[i].store = NULL;
    return needs_replacing(run, driver, rc) ? replace(run, one) : rc;
}

/* Some stores are of the backup now and others are as they were: nobody may take that for either. */
static int fail_partial(const struct run *run, size_t failed) {
    const struct bk__restore *restore = run->restore;
    struct bk__buf done = {0};
    for (size_t i = 0; i < failed; i++) {
        bk__buf_printf(&done, "%s%s", i > 0 ? ", " : "", restore->stores[i].site.name);
    }
    char *list = bk__buf_take(&done);
    char *why = strdup(bk__error_text());
    const char *name = restore->stores[failed].site.name;
    const char *saved = restore->pre_restore;
    int rc =
        list == NULL || why == NULL
            ? bk__fail_memory()
            : bk__fail(
                  BK_EPARTIAL,
                  "Only a part of backup %s is restored. Restored: %s. Not restored: %s: "
                  "%s What was there before is %s%s. Repair that and restore again with "
                  "\"store\": \"%s\", or go back with that backup.",
                  restore->name, list, name, why,
                  *saved != '\0' ? "in backup " : "kept beside it", saved, name);
    free(list);
    free(why);
    return rc;
}

static int restore_all(struct run *run) {
    for (size_t i = 0; i < run->restore->count; i++) {
        int rc = restore_one(run, i);
        if (rc != 0) {
            return i > 0 ? fail_partial(run, i) : rc;
        }
        run->restore->stores[i].done = true;
        if (run->restore->count > 1) {
            bk__job_log(run->job, "info", "Restored from %s: %s", run->restore->name,
                        run->restore->stores[i].site.name);
        }
    }
    return 0;
}

int bk__restore_stores(struct bk__job *job, const struct bk__folder *folder,
                       struct bk__restore *restore) {
    struct run run = {.job = job, .folder = folder, .restore = restore};
    int rc = open_all(&run);
    if (rc == 0) {
        rc = check_ready(&run);
    }
    if (rc == 0) {
        rc = save_present(&run);
    }
    if (rc == 0) {
        rc = restore_all(&run);
    }
    bk__set_close(&run.set);
    return rc;
}
