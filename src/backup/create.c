/*
 * backup.create: one backup, then retention, then the record of how it went.
 * Not how a backup is made: make.c. Not the schedule: core runs it.
 * Called as a job; migrations call it by bk__job_call before a batch.
 */
#include <backup/operations.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/catalogue/manifest.h>
#include <backup/prune.h>
#include <backup/recent.h>
#include <backup/record.h>
#include <backup/set/set.h>
#include <backup/unchanged.h>

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

/* The stores it is about: all of the keeper's, or the one that the argument names. */
static int choose_stores(struct bk__job *job, struct bk__set *set) {
    struct bk__store_site sites[BK__STORES] = {{"database", ""}};
    const char *only = bk__job_text(job, "store");
    size_t count = bk__store_sites(job, sites);
    for (size_t i = 0; i < count || i == 0; i++) { /* none set: the first says so */
        if (only == NULL || strcmp(sites[i].name, only) == 0) {
            set->stores[set->count++].site = sites[i];
        }
    }
    return set->count > 0 ? 0
                          : bk__fail(BK_EINVAL,
                                     "The option %s is not set, so there is nothing to "
                                     "save. No backup was made. Set it, or leave "
                                     "\"store\" out.",
                                     only);
}

/* One run in the locked folder. */
struct run {
    struct bk__job *job;
    const struct bk__folder *folder;
    struct bk__make request;
    struct bk__unchanged unchanged;
    struct bk__manifest manifest; /* of the backup that holds the stores' state now */
    struct bk__set set;           /* the stores, be it one */
};

/* What is written down of a set that lacks a store: that it exists, not that it went well. */
static void note_made(struct run *run) {
    const struct bk__manifest *manifest = &run->manifest;
    bool partial = bk__manifest_is_partial(manifest);
    if (!partial) {
        const struct bk__record_state state = {run->unchanged.settings, &run->set};
        bk__record_success(run->job, manifest, &state);
    }
    bk__job_log(run->job, partial ? "error" : "info", "%s: %s (%.1f MB)",
                partial ? "Backup is partial" : "Backup created", manifest->name,
                (double)manifest->bytes / 1048576);
}

static int tell_made(struct run *run) {
    struct bk__job *job = run->job;
    const struct bk__manifest *manifest = &run->manifest;
    note_made(run);
    struct json_object *deleted = bk__prune_after(job, run->folder, manifest->name);
    int rc = fill_result(job, run->folder, manifest, deleted);
    json_object_put(deleted);
    if (rc == 0 && !bk__json_add_bool(bk__job_result(job), "unchanged", false)) {
        rc = bk__fail_memory();
    }
    if (rc == 0 && bk__manifest_is_partial(manifest)) {
        bk__job_tell_result(job);
        rc = bk__set_fail_partial(manifest);
    }
    return rc;
}

/* Success too: the data is as safe as a new backup would make it. */
static int tell_unchanged(struct run *run) {
    char since[BK__STAMP_SIZE];
    struct bk__job *job = run->job;
    const struct bk__record_state state = {run->unchanged.settings, &run->set};
    run->manifest = run->unchanged.manifest;
    run->unchanged.manifest = (struct bk__manifest){0};
    bk__record_unchanged(job, &run->manifest, &state, run->request.kind);
    bk__job_log(job, "info", "No backup needed: %s holds all of %s", run->manifest.name,
                run->set.count > 1 ? "the stores" : "the database");
    bk__stamp_iso(run->manifest.created_ms, since);
    int rc = fill_result(job, run->folder, &run->manifest, NULL);
    bool ok = bk__json_add_bool(bk__job_result(job), "unchanged", true) &&
              bk__json_add_text(bk__job_result(job), "unchanged_since", since);
    return rc != 0 || ok ? rc : bk__fail_memory();
}

static int open_stores(struct run *run) {
    struct bk__set_store *first = &run->set.stores[0];
    return run->set.count > 1
               ? bk__set_open(run->job, &run->set)
               : bk__store_open_at(&first->store, run->job, first->site.url, false);
}

static int make(struct run *run) {
    struct bk__unchanged *unchanged = &run->unchanged;
    bool skips = bk__unchanged_skips(run->request.kind);
    if (skips && bk__unchanged_by_fingerprint(unchanged, &run->set)) {
        return BK__MAKE_SAME;
    }
    run->request.same = skips && unchanged->known ? &unchanged->manifest : NULL;
    struct bk__set_store *first = &run->set.stores[0];
    return run->set.count > 1 ? bk__set_make(run->job, run->folder, &run->set,
                                             &run->request, &run->manifest)
                              : bk__make_backup(run->job, run->folder, first->store,
                                                &run->request, &run->manifest);
}

static int make_or_skip(struct run *run) {
    run->request.ret_fingerprint = run->set.stores[0].fingerprint;
    bk__unchanged_load(run->job, run->folder->path, &run->request, &run->set,
                       &run->unchanged);
    int rc = open_stores(run);
    if (rc == 0) {
        rc = make(run);
    }
    bk__set_close(&run->set);
    return rc;
}

static int create_in(struct bk__job *job, const struct bk__folder *folder,
                     const struct bk__set *stores) {
    const char *compress = bk__job_text(job, "compress");
    struct run run = {.job = job,
                      .folder = folder,
                      .set = *stores,
                      .request = {.kind = bk__job_text(job, "kind"),
                                  .note = bk__job_text(job, "note"),
                                  .compress = compress}};
    if (compress == NULL) {
        run.request.compress =
            bk__config_text(bk__job_config(job), BK__OPT_BACKUP_COMPRESS);
    }
    int rc = make_or_skip(&run);
    if (rc == 0) {
        rc = tell_made(&run);
    } else if (rc == BK__MAKE_SAME) {
        rc = tell_unchanged(&run);
    }
    bk__unchanged_clear(&run.unchanged);
    bk__manifest_clear(&run.manifest);
    return rc;
}

/* 1 when one that is there is young enough, and is the result; else 0 or an error. */
static int reuse_recent(struct bk__job *job, const struct bk__folder *folder) {
    struct bk__manifest manifest = {0};
    struct json_object *result = bk__job_result(job);
    int rc = bk__recent_find(job, folder->path, &manifest);
    if (rc == 1) {
        bk__job_log(job, "info", "No backup needed: %s is young enough", manifest.name);
        int filled = fill_result(job, folder, &manifest, NULL);
        bool told = bk__json_add_bool(result, "recent", true) &&
                    bk__json_add_bool(result, "unchanged", false);
        rc = filled < 0 ? filled : told ? 1 : bk__fail_memory();
    }
    bk__manifest_clear(&manifest);
    return rc;
}

static int note_failure(struct bk__job *job, int rc) {
    char *text = strdup(bk__error_text());
    if (text != NULL) {
        bk__record_failure(job, rc, text);
        rc = bk__fail(rc, "%s", text);
    }
    free(text);
    return rc;
}

int bk__backup_create(struct bk__job *job) {
    struct bk__folder folder = {.lock_fd = -1};
    struct bk__set stores = {0};
    int rc = choose_stores(job, &stores);
    if (rc != 0) {
        return rc; /* a wrong argument is no failed backup */
    }
    rc = bk__folder_open(job, &folder);
    if (rc == 0) {
        rc = reuse_recent(job, &folder);
    }
    if (rc == 0) {
        rc = create_in(job, &folder, &stores);
    }
    rc = rc == 1 ? 0 : rc;
    if (rc != 0 && rc != BK_ECANCELLED) {
        rc = note_failure(job, rc);
    }
    bk__folder_close(&folder);
    return rc;
}
