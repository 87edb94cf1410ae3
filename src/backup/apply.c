/*
 * backup.apply: the restore that waits in state.dir, done before the bot opens its database.
 * Not staging: stage.c. Killed at any point it leaves the old or the new database and can run
 * again, because the intent goes last. bk_open() runs it.
 */
#include <backup/operations.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/archive.h>
#include <backup/catalogue/folder.h>
#include <backup/restore.h>
#include <backup/stage.h>

static int fill_result(struct bk__job *job, const char *name,
                       const struct bk__restore *done) {
    struct json_object *result = bk__job_result(job);
    bool saved = done != NULL && done->pre_restore[0] != '\0';
    const char *kept = NULL;
    for (size_t i = 0; done != NULL && kept == NULL && i < done->count; i++) {
        kept = done->stores[i].kept;
    }
    bool ok =
        bk__json_add_bool(result, "applied", name != NULL) &&
        bk__json_add_text(result, "name", name) &&
        bk__json_add_text(result, "pre_restore", saved ? done->pre_restore : NULL) &&
        bk__json_add_text(result, "kept", kept);
    return ok ? 0 : bk__fail_memory();
}

/* The image may have waited long: it must still be what was staged. */
static int check_image(struct bk__job *job, const char *name,
                       const struct bk__staged *staged, const char *image) {
    struct bk__archive_facts found = {0};
    const struct bk__archive_sink sink = {
        .phase = "verify", .what = name, .out_fd = -1, .database_bytes = staged->bytes};
    if (!bk__file_exists(image)) {
        return bk__fail(BK_ECORRUPT,
                        "The image of the staged restore, %s, is gone. The database "
                        "was not touched. Ask for the restore again.",
                        image);
    }
    const struct bk__form plain = {.compression = BK__PLAIN};
    int rc = bk__archive_read(job, image, &plain, &sink, &found);
    if (rc == 0 &&
        (found.bytes != staged->bytes || strcmp(found.sha256, staged->sha256) != 0)) {
        rc = bk__fail(BK_ECORRUPT,
                      "The image of the staged restore, %s, changed since it was "
                      "verified. The database was not touched. Ask for the restore "
                      "again, and look at the disk.",
                      image);
    }
    return rc;
}

/* The keeper's store of that name: a bot whose options changed since may have none. */
static int find_site(struct bk__job *job, const char *store, struct bk__store_site *ret) {
    struct bk__store_site sites[BK__STORES];
    size_t count = bk__store_sites(job, sites);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(sites[i].name, store) == 0) {
            *ret = sites[i];
            return 0;
        }
    }
    return bk__fail(BK_EUNSUPPORTED,
                    "The staged restore is for the store %s, and no option names it now. "
                    "Nothing was touched. Set the option, or remove restore.json in "
                    "state.dir.",
                    store);
}

/* Every image is checked before the first store is touched. */
static int check_all(struct bk__job *job, const struct bk__stage *stage,
                     struct bk__restore *ret) {
    *ret = (struct bk__restore){.name = stage->name, .may_replace = true};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->count; i++) {
        struct bk__restoring *one = &ret->stores[ret->count++];
        one->image = bk__stage_image(job, &stage->stores[i]);
        rc = one->image == NULL ? BK_ENOMEM
                                : find_site(job, stage->stores[i].store, &one->site);
        if (rc == 0) {
            rc = check_image(job, stage->name, &stage->stores[i], one->image);
        }
    }
    return rc;
}

static int restore(struct bk__job *job, struct bk__restore *restoring) {
    struct bk__folder folder = {.lock_fd = -1};
    int rc = bk__folder_open(job, &folder);
    if (rc == 0) {
        rc = bk__restore_stores(job, &folder, restoring);
    }
    bk__folder_close(&folder);
    return rc;
}

static int apply(struct bk__job *job, const struct bk__stage *stage) {
    struct bk__restore restoring;
    int rc = check_all(job, stage, &restoring);
    if (rc == BK_ECORRUPT) {
        char *text = strdup(bk__error_text());
        bk__stage_reject(job);
        rc = bk__fail(rc, "%s", text != NULL ? text : "The staged restore is damaged.");
        free(text);
    } else if (rc == 0) {
        rc = restore(job, &restoring);
        if (rc == 0) {
            rc = bk__stage_done(job);
        }
    }
    if (rc == 0) {
        bk__job_log(job, "info", "Staged restore applied: %s", stage->name);
        rc = fill_result(job, stage->name, &restoring);
    }
    bk__restore_clear(&restoring);
    return rc;
}

int bk__backup_apply(struct bk__job *job) {
    struct bk__stage stage = {0};
    int rc = bk__stage_load(job, &stage);
    if (rc == 0) {
        return fill_result(job, NULL, NULL);
    }
    int lock = bk__stage_lock(job);
    if (lock < 0) {
        return lock;
    }
    /* Again under the lock: another process may just have applied or replaced it. */
    rc = bk__stage_load(job, &stage);
    if (rc == BK_ECORRUPT) {
        bk__stage_reject(job);
        rc = bk__fail(BK_ECORRUPT,
                      "The staged restore could not be understood and was set aside. "
                      "The database was not touched. Ask for the restore again.");
    } else if (rc == 0) {
        rc = fill_result(job, NULL, NULL);
    } else if (rc == 1) {
        rc = apply(job, &stage);
    }
    bk__file_close(lock);
    return rc;
}
