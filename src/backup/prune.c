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
#include <base/stamp.h>
#include <base/zone.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/consolidate.h>
#include <backup/catalogue/folder.h>
#include <backup/operations.h>
#include <backup/record.h>
#include <backup/remove.h>
#include <backup/retention.h>
#include <backup/set/set.h>

/* One run of retention over a folder. */
struct prune {
    struct bk__rules rules;
    char pinned[BK__NAME_SIZE]; /* another name that stays in any case; "": none */
    bool dry_run;
    struct bk__job *job;
    const struct bk__folder *folder; /* locked; NULL with dry_run: nothing is rewritten */
    /* out */
    struct json_object *deleted;      /* a list of {name, bytes, reason} */
    struct json_object *kept_because; /* the same of those that stay */
    int64_t kept;
    int64_t freed_bytes;
};

static int64_t size_of(const struct bk__catalogue *catalogue, const char *name) {
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->items[i].name, name) == 0) {
            return catalogue->items[i].bytes;
        }
    }
    return 0;
}

static int note(struct json_object *list, const struct bk__retain *item, int64_t bytes) {
    struct json_object *entry = bk__json_object();
    if (entry == NULL || !bk__json_add_text(entry, "name", item->name) ||
        !bk__json_add_int(entry, "bytes", bytes) ||
        !bk__json_add_text(entry, "reason", item->reason)) {
        json_object_put(entry);
        return bk__fail_memory();
    }
    return bk__json_append(list, entry) ? 0 : bk__fail_memory();
}

static int note_kept(const struct bk__catalogue *catalogue,
                     const struct bk__retain *items, struct prune *prune) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < catalogue->count; i++) {
        if (!items[i].drop) {
            prune->kept++;
            rc = note(prune->kept_because, &items[i], size_of(catalogue, items[i].name));
        }
    }
    return rc;
}

static int remove_one(const char *dir, const struct bk__catalogue *catalogue,
                      const struct bk__retain *item, struct prune *prune) {
    int rc = prune->dry_run ? 0 : bk__remove_backup(dir, item->name);
    if (rc == 0) {
        int64_t bytes = size_of(catalogue, item->name);
        prune->freed_bytes += bytes;
        rc = note(prune->deleted, item, bytes);
    }
    return rc;
}

static int flush(const char *dir, const struct prune *prune, int rc) {
    if (rc == 0 && !prune->dry_run && json_object_array_length(prune->deleted) > 0) {
        int err = bk__file_sync_dir(dir);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot flush the folder", dir, NULL);
    }
    return rc;
}

/* What is made of others goes before them, the newest first: what is killed here leaves none behind
   that has lost its base. Then the rest, the oldest first. */
static int remove_marked(const char *dir, const struct bk__catalogue *catalogue,
                         const struct bk__retain *items, struct prune *prune) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < catalogue->count; i++) {
        if (items[i].drop && items[i].parent[0] != '\0') {
            rc = remove_one(dir, catalogue, &items[i], prune);
        }
    }
    rc = flush(dir, prune, rc);
    for (size_t i = catalogue->count; rc == 0 && i-- > 0;) {
        if (items[i].drop && items[i].parent[0] == '\0') {
            rc = remove_one(dir, catalogue, &items[i], prune);
        }
    }
    return flush(dir, prune, rc);
}

static struct bk__retain *list_items(const struct bk__catalogue *catalogue,
                                     const char *pinned) {
    struct bk__retain *items = calloc(catalogue->count + 1, sizeof *items);
    for (size_t i = 0; items != NULL && i < catalogue->count; i++) {
        const struct bk__manifest *from = &catalogue->items[i];
        memcpy(items[i].name, from->name, sizeof from->name);
        memcpy(items[i].kind, from->kind, sizeof from->kind);
        memcpy(items[i].parent, from->parent, sizeof from->parent);
        items[i].sequence = from->sequence;
        items[i].created_ms = from->created_ms;
        items[i].verified = from->verified;
        items[i].partial = bk__manifest_is_partial(from);
        items[i].pinned = bk__name_same_stem(from->name, pinned);
    }
    return items;
}

/* What a run that was killed left of changes that a full archive replaced. */
static int remove_leftovers(const char *dir, const struct bk__catalogue *catalogue,
                            const struct prune *prune) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && !prune->dry_run && i < catalogue->leftover_count; i++) {
        rc = bk__remove_backup(dir, catalogue->leftovers[i]);
    }
    return rc;
}

/* Counts what a real run would make whole as whole. */
static void foresee(const struct prune *prune, struct bk__retain *items, size_t count) {
    struct bk__retain *whole = bk__consolidate_choose(prune->job, items, count);
    while (whole != NULL) {
        whole->parent[0] = '\0';
        bk__retention_decide(items, count, &prune->rules);
        whole = bk__consolidate_choose(prune->job, items, count);
    }
}

/* Decides, and acts on it as far as a backup is to be made whole first: 1, it was. */
static int decide(const struct prune *prune, const struct bk__catalogue *catalogue,
                  struct bk__retain *items) {
    bk__retention_decide(items, catalogue->count, &prune->rules);
    if (prune->dry_run) {
        foresee(prune, items, catalogue->count);
        return 0;
    }
    return prune->folder == NULL
               ? 0
               : bk__consolidate(prune->job, prune->folder, catalogue, items);
}

/* 1: a backup was made whole, so that everything is to be decided anew. */
static int prune_once(const char *dir, struct prune *prune) {
    struct bk__catalogue catalogue;
    int rc = bk__catalogue_load(dir, &catalogue);
    if (rc != 0) {
        return rc;
    }
    json_object_put(prune->deleted);
    json_object_put(prune->kept_because);
    struct bk__retain *items = list_items(&catalogue, prune->pinned);
    prune->deleted = bk__json_list();
    prune->kept_because = bk__json_list();
    prune->kept = 0;
    prune->freed_bytes = 0;
    if (items == NULL || prune->deleted == NULL || prune->kept_because == NULL) {
        rc = bk__fail_memory();
    } else {
        rc = decide(prune, &catalogue, items);
    }
    if (rc == 0) {
        rc = note_kept(&catalogue, items, prune);
    }
    if (rc == 0) {
        rc = remove_leftovers(dir, &catalogue, prune);
    }
    if (rc == 0) {
        rc = remove_marked(dir, &catalogue, items, prune);
    }
    free(items);
    bk__catalogue_free(&catalogue);
    return rc;
}

/* dir is locked unless dry_run. What was deleted before an error is in the list. */
static int prune_folder(const char *dir, struct prune *prune) {
    int rc = prune_once(dir, prune);
    while (rc == 1) { /* each time there is one backup of changes less */
        rc = prune_once(dir, prune);
    }
    return rc;
}

/* ---- by the options ------------------------------------------------------------------- */

/* Never ahead of where the clock would be without a jump since the bot's run began, so that one that
   jumps forward makes nothing old. Also in a helper process, and in a tool beside the bot: the run
   is recorded. */
static int64_t steady_now(struct bk__job *job, int64_t wall) {
    struct json_object *run = NULL;
    int64_t steady = wall;
    if (bk__job_call(job, "lifecycle.status", NULL, &run) == 0 &&
        bk__stamp_parse(bk__json_text(run, "started_at", ""), &steady)) {
        steady += bk__json_int(run, "uptime_ms", 0);
    }
    bk__error_clear(); /* no run is no failure */
    json_object_put(run);
    return wall < steady ? wall : steady;
}

/* The rules in force; the zone is the caller's to release. */
static int load_rules(struct bk__job *job, struct bk__rules *ret) {
    const struct bk__config *config = bk__job_config(job);
    int64_t wall = bk__job_wall(job);
    int64_t steady = steady_now(job, wall);
    struct bk__zone *zone = NULL;
    int rc = bk__calendar_zone(config, &zone);
    *ret =
        (struct bk__rules){.keep = bk__config_int(config, BK__OPT_BACKUP_KEEP),
                           .days = bk__config_int(config, BK__OPT_BACKUP_KEEP_DAYS),
                           .daily = bk__config_int(config, BK__OPT_BACKUP_KEEP_DAILY),
                           .weekly = bk__config_int(config, BK__OPT_BACKUP_KEEP_WEEKLY),
                           .monthly = bk__config_int(config, BK__OPT_BACKUP_KEEP_MONTHLY),
                           .now_ms = steady,
                           .wall_ms = wall,
                           .zone = zone};
    return rc;
}

static void clear(struct prune *prune) {
    bk__zone_free(prune->rules.zone);
    json_object_put(prune->deleted);
    json_object_put(prune->kept_because);
}

static struct json_object *take_deleted(struct prune *prune) {
    struct json_object *deleted = prune->deleted;
    prune->deleted = NULL;
    return deleted;
}

struct json_object *bk__prune_after(struct bk__job *job, const struct bk__folder *folder,
                                    const char *spare) {
    struct prune prune = {.job = job, .folder = folder};
    bk__record_pinned(job, prune.pinned);
    int rc = load_rules(job, &prune.rules);
    prune.rules.spare = spare;
    if (rc == 0) {
        rc = prune_folder(folder->path, &prune);
    }
    if (rc != 0) {
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
    struct json_object *deleted = take_deleted(&prune);
    clear(&prune);
    return deleted;
}

/* ---- the operation -------------------------------------------------------------------- */

static int fill_result(struct bk__job *job, struct prune *prune) {
    struct json_object *result = bk__job_result(job);
    struct json_object *because = prune->kept_because;
    prune->kept_because = NULL;
    bool ok = bk__json_put(result, "deleted", take_deleted(prune));
    if (!bk__json_put(result, "kept_because", because) || !ok ||
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

/* An argument in place of an option. */
static int take_rule(struct bk__job *job, const char *name, enum bk__option option,
                     int64_t *rule) {
    int64_t value = bk__job_int(job, name, *rule);
    if (value < 0 || (double)value > bk__option_rows[option].max) {
        return bk__fail(BK_EINVAL,
                        "\"%s\" takes a whole number from 0 to %.0f, as the option %s "
                        "does. Nothing was deleted.",
                        name, bk__option_rows[option].max, bk__option_rows[option].name);
    }
    *rule = value;
    return 0;
}

static int take_rules(struct bk__job *job, struct bk__rules *rules) {
    const struct {
        const char *name;
        enum bk__option option;
        int64_t *rule;
    } all[] = {{"keep", BK__OPT_BACKUP_KEEP, &rules->keep},
               {"days", BK__OPT_BACKUP_KEEP_DAYS, &rules->days},
               {"daily", BK__OPT_BACKUP_KEEP_DAILY, &rules->daily},
               {"weekly", BK__OPT_BACKUP_KEEP_WEEKLY, &rules->weekly},
               {"monthly", BK__OPT_BACKUP_KEEP_MONTHLY, &rules->monthly}};
    int rc = load_rules(job, rules);
    for (size_t i = 0; rc == 0 && i < sizeof all / sizeof *all; i++) {
        rc = take_rule(job, all[i].name, all[i].option, all[i].rule);
    }
    return rc;
}

int bk__backup_prune(struct bk__job *job) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    struct prune prune = {.dry_run = bk__job_bool(job, "dry_run", false)};
    struct bk__folder folder = {.lock_fd = -1};
    bk__record_pinned(job, prune.pinned);
    int rc = take_rules(job, &prune.rules);
    if (rc == 0 && !prune.dry_run && has_folder(job)) {
        rc = bk__folder_open(job, &folder);
    }
    if (rc == 0) {
        prune.job = job;
        prune.folder = folder.path == NULL ? NULL : &folder;
        rc = prune_folder(dir, &prune);
    }
    if (rc == 0) {
        rc = fill_result(job, &prune);
    }
    clear(&prune);
    bk__folder_close(&folder);
    return rc;
}
