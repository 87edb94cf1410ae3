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
#include <os/clock.h>
#include <os/file.h>
#include <backup/foreign/alien.h>
#include <backup/archive/archive.h>
#include <backup/catalogue/catalogue.h>
#include <backup/delta/chain.h>
#include <backup/catalogue/folder.h>
#include <backup/foreign/memo.h>
#include <backup/archive/sample.h>
#include <backup/set/set_read.h>

#define MOMENT_MS 200
#define TOLD 5 /* so many failures are told in the error's text */

/* One run over some backups. */
struct check {
    struct bk__job *job;
    const char *dir;
    struct json_object *list;
    const char *depth; /* as asked for */
    int64_t verified, failed;
    int code; /* BK_ECORRUPT once one is not whole, else what one could not be read for */
    struct bk__buf why; /* of the failed ones */
};

/* What is found of one of them. */
struct found {
    const char *name;
    const char *status; /* of a set; NULL: it is none */
    int rc;             /* as reading it ended */
    const char *bad;    /* the state that BK_ECORRUPT means for it */
    const char *error;  /* NULL: it is good */
    bool shut;          /* as far as that shows without its key */
    int64_t checked;    /* bytes of it that were compared */
    struct bk__damage damage;
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

static const char *state_of(const struct found *found) {
    return found->rc >= 0                 ? "good"
           : found->rc == BK_ECORRUPT     ? found->bad
           : found->rc == BK_EUNSUPPORTED ? "unsupported"
                                          : "unreadable";
}

static bool add_entry(struct check *check, const struct found *found) {
    struct json_object *entry = bk__json_object();
    const struct bk__damage *damage = &found->damage;
    bool ok =
        entry != NULL && bk__json_add_text(entry, "name", found->name) &&
        bk__json_add_text(entry, "state", state_of(found)) &&
        bk__json_add_bool(entry, "verified", found->rc >= 0) &&
        bk__json_add_text(entry, "depth", found->shut ? "sealed" : check->depth) &&
        bk__json_add_int(entry, "checked_bytes", found->checked) &&
        (found->status == NULL || bk__json_add_text(entry, "status", found->status)) &&
        (damage->to == 0 || (bk__json_add_int(entry, "damaged_from", damage->from) &&
                             bk__json_add_int(entry, "damaged_to", damage->to))) &&
        (found->error == NULL || bk__json_add_text(entry, "error", found->error));
    if (!ok) {
        json_object_put(entry);
        return false;
    }
    return bk__json_append(check->list, entry);
}

static void count_failed(struct check *check, const struct found *found) {
    bk__job_log(check->job, "error", "%s", found->error);
    if (check->code != BK_ECORRUPT && (check->code == 0 || found->rc == BK_ECORRUPT)) {
        check->code = found->rc;
    }
    if (check->failed++ < TOLD) {
        bk__buf_printf(&check->why, "%s%s", check->failed > 1 ? " " : "", found->error);
    }
}

static int count_one(struct check *check, const struct found *found) {
    if (found->error == NULL) {
        check->verified++;
        bk__job_log(check->job, "info", "Backup verified%s: %s",
                    found->shut ? " without its key (SHA-256 and frames)" : "",
                    found->name);
    } else {
        count_failed(check, found);
    }
    return add_entry(check, found) ? 0 : bk__fail_memory();
}

/* What ends the whole run; anything else is told of the one backup. */
static bool is_end(int rc) {
    return rc == BK_ECANCELLED || rc == BK_ENOMEM;
}

static bool is_full(const struct check *check) {
    return strcmp(check->depth, "full") == 0;
}

/* Not all of it: an archive by itself, or those of a set's folder one by one. */
static int look_at(struct check *check, const struct bk__manifest *manifest,
                   struct found *found) {
    struct bk__sample sample = {.parts = strcmp(check->depth, "sample") == 0};
    char *path = bk__catalogue_archive(check->dir, manifest);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    sample.until_mono =
        bk__job_mono(check->job) + bk__job_int(check->job, "deadline_ms", 0);
    int rc = bk__sample_check(check->job, path, manifest, &sample);
    found->checked += sample.checked;
    found->damage = sample.damage;
    free(path);
    return rc;
}

static int look_at_parts(struct check *check, const struct bk__manifest *set,
                         struct found *found) {
    int rc = 0;
    if (!bk__form_is_folder(&set->form)) {
        return look_at(check, set, found);
    }
    for (size_t i = 0; rc == 0 && i < set->part_count; i++) {
        if (set->parts[i].name[0] != '\0') {
            rc = look_at(check, &set->parts[i], found);
        }
    }
    return rc;
}

static int read_all(struct check *check, struct bk__manifest *manifest,
                    struct bk__damage *damage) {
    const struct bk__archive_sink sink = {
        .phase = "verify", .out_fd = -1, .may_be_shut = true, .damage = damage};
    if (manifest->part_count > 0) {
        return bk__set_check(check->job, check->dir, manifest, damage);
    }
    return bk__form_is_delta(&manifest->form)
               ? bk__chain_check(check->job, check->dir, manifest, damage)
               : bk__set_read(check->job, check->dir, manifest, &sink);
}

static void read_one(struct check *check, struct bk__manifest *manifest,
                     struct found *found) {
    if (manifest->part_count > 0) {
        found->status = bk__manifest_is_partial(manifest) ? "partial" : "complete";
    }
    if (!is_full(check)) {
        found->rc = look_at_parts(check, manifest, found);
        return;
    }
    found->rc = read_all(check, manifest, &found->damage);
    bool read = found->rc >= 0 || found->rc == BK_ECORRUPT;
    found->checked = read ? manifest->bytes : 0;
    found->shut = found->rc == 1;
}

/* A look that found nothing proves nothing, and what cannot be read today may be good. */
static bool is_noted(const struct check *check, const struct found *found) {
    return found->rc == BK_ECORRUPT || (found->rc >= 0 && is_full(check));
}

static int check_one(struct check *check, struct bk__manifest *manifest) {
    struct found found = {.name = manifest->name, .bad = "damaged"};
    read_one(check, manifest, &found);
    if (is_end(found.rc)) {
        return found.rc;
    }
    char *error = found.rc >= 0 ? NULL : strdup(bk__error_text());
    if (found.rc < 0 && error == NULL) {
        return bk__fail_memory();
    }
    found.error = error;
    if (is_noted(check, &found)) {
        note_outcome(check, manifest, error, found.shut);
    }
    int rc = count_one(check, &found);
    free(error);
    return rc;
}

static int check_broken(struct check *check, const char *name, const char *why) {
    char error[BK__NAME_SIZE + 256];
    snprintf(error, sizeof error,
             "Backup %s cannot be used: %s. Nothing was touched. Use another one of "
             "backup.list.",
             name, why);
    const struct found found = {
        .name = name, .rc = BK_ECORRUPT, .bad = "torn", .error = error};
    return count_one(check, &found);
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

/* Among all of them, one of a kind that cannot be looked into is neither good nor a failure. */
static int tell_unsupported(struct check *check, const struct found *found) {
    bk__job_log(check->job, "warning", "%s", found->error);
    return add_entry(check, found) ? 0 : bk__fail_memory();
}

static int check_foreign(struct check *check, const struct bk__scratch *scratch,
                         struct bk__foreign *foreign, bool alone) {
    struct bk__examined examined = {0};
    struct found found = {.name = foreign->name, .bad = "torn"};
    found.rc = bk__alien_examine(check->job, scratch, foreign, &examined);
    if (is_end(found.rc)) {
        return found.rc;
    }
    char *error = found.rc == 0 ? NULL : strdup(bk__error_text());
    if (found.rc != 0 && error == NULL) {
        return bk__fail_memory();
    }
    found.error = error;
    found.checked = found.rc == 0 || found.rc == BK_ECORRUPT ? foreign->bytes : 0;
    int rc = found.rc == BK_EUNSUPPORTED && !alone ? tell_unsupported(check, &found)
                                                   : count_one(check, &found);
    if (rc == 0 && found.rc == 0) {
        size_t last = json_object_array_length(check->list) - 1;
        struct json_object *entry = json_object_array_get_idx(check->list, last);
        rc = add_found(entry, foreign, &examined) ? 0 : bk__fail_memory();
    }
    free(error);
    bk__examined_free(&examined);
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
        rc = bk__scratch_open(check->job, BK__SCRATCH_LOOK, &scratch);
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

/* Another process that deletes a backup takes the archive first, and a moment later the manifest. */
static int is_lost(const struct check *check, const char *name) {
    int lost = bk__catalogue_lost(check->dir, name);
    if (lost == 1) {
        bk__clock_sleep(MOMENT_MS);
        lost = bk__catalogue_lost(check->dir, name);
    }
    return lost;
}

/* Those whose archive is gone: all, or the one of that name. 1: it is none of them. */
static int check_lost(struct check *check, const struct bk__catalogue *catalogue,
                      const char *name) {
    int rc = 1;
    for (size_t i = 0; rc >= 0 && i < catalogue->missing_count; i++) {
        const char *missing = catalogue->missing[i];
        bool asked = name == NULL || strcmp(missing, name) == 0;
        int lost = asked ? is_lost(check, missing) : 0;
        rc = lost < 0    ? lost
             : lost == 1 ? check_broken(check, missing, "its archive is missing")
                         : rc;
    }
    return rc;
}

/* The lost ones first: noting what is found of the others clears their manifests away. */
static int check_all(struct check *check, struct bk__catalogue *catalogue) {
    int rc = check_lost(check, catalogue, NULL);
    rc = rc == 1 ? 0 : rc;
    for (size_t i = 0; rc == 0 && i < catalogue->count; i++) {
        rc = check_one(check, &catalogue->items[i]);
    }
    for (size_t i = 0; rc == 0 && i < catalogue->broken_count; i++) {
        rc = check_broken(check, catalogue->broken[i].name, catalogue->broken[i].why);
    }
    return rc;
}

/* That of the name, be it ours, broken or another tool's; without one the newest. */
static int check_named(struct check *check, struct bk__catalogue *catalogue,
                       const char *name) {
    struct bk__manifest *chosen = catalogue->count > 0 ? &catalogue->items[0] : NULL;
    for (size_t i = 0; name != NULL && i < catalogue->broken_count; i++) {
        if (strcmp(catalogue->broken[i].name, name) == 0) {
            return check_broken(check, catalogue->broken[i].name,
                                catalogue->broken[i].why);
        }
    }
    int rc = name == NULL ? 1 : check_lost(check, catalogue, name);
    if (rc == 1 && name != NULL && !bk__catalogue_has(catalogue, name)) {
        rc = check_foreigners(check, catalogue, name);
    }
    if (rc != 1) {
        return rc;
    }
    rc = name == NULL && chosen != NULL
             ? 0
             : bk__catalogue_pick(catalogue, check->dir, name, &chosen);
    return rc != 0 ? rc : check_one(check, chosen);
}

static int check_chosen(struct check *check, struct bk__catalogue *catalogue) {
    const char *name = bk__job_text(check->job, "name");
    bool all = bk__job_bool(check->job, "all", false);
    bool foreign = bk__job_bool(check->job, "foreign", false);
    int rc = foreign ? check_foreigners(check, catalogue, NULL) : 0;
    if (rc != 0) {
        return rc;
    }
    return all       ? check_all(check, catalogue)
           : foreign ? 0
                     : check_named(check, catalogue, name);
}

/* The list is told whatever it says: who asked wants to know which ones are good. */
static int tell_list(struct check *check) {
    struct json_object *result = bk__job_result(check->job);
    struct json_object *list = check->list;
    check->list = NULL;
    bk__job_tell_result(check->job);
    bool ok = bk__json_put(result, "backups", list) &&
              bk__json_add_int(result, "verified", check->verified) &&
              bk__json_add_int(result, "failed", check->failed);
    return ok ? 0 : bk__fail_memory();
}

static int finish(struct check *check) {
    int rc = tell_list(check);
    if (rc != 0 || check->failed == 0) {
        return rc;
    }
    char *why = bk__buf_take(&check->why);
    rc = why == NULL ? bk__fail_memory()
                     : bk__fail(check->code, "%s%s", why,
                                check->failed > TOLD ? " And more: see the list." : "");
    free(why);
    return rc;
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
