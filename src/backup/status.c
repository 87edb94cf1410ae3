/*
 * backup.list and backup.status: what exists, how it went, what comes next.
 * Only reading, without the folder's lock, so both answer while a backup is made.
 * Called as jobs on the quick lane.
 */
#include <backup/operations.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/seal/encryption.h>
#include <backup/foreign/foreign.h>
#include <backup/record.h>
#include <backup/set/set.h>
#include <backup/stage.h>

static const char *folder_of(struct bk__job *job) {
    return bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
}

static int64_t total_bytes(const struct bk__catalogue *catalogue) {
    int64_t total = 0;
    for (size_t i = 0; i < catalogue->count; i++) {
        total += catalogue->items[i].bytes;
    }
    return total;
}

static bool add_shown(struct json_object *list, const struct bk__manifest *manifest) {
    struct json_object *shown = bk__manifest_show(manifest, true);
    return shown != NULL && bk__json_append(list, shown);
}

/* ---- list ----------------------------------------------------------------------------- */

static int fill_list(struct bk__job *job, const struct bk__catalogue *catalogue) {
    struct json_object *result = bk__job_result(job);
    const char *kind = bk__job_text(job, "kind");
    int64_t limit = bk__job_int(job, "limit", -1);
    int64_t total = 0;
    int64_t bytes = 0;
    struct json_object *list = bk__json_list();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < catalogue->count; i++) {
        const struct bk__manifest *item = &catalogue->items[i];
        if (kind != NULL && strcmp(item->kind, kind) != 0) {
            continue;
        }
        ok = (limit >= 0 && total >= limit) || add_shown(list, item);
        total++;
        bytes += item->bytes;
    }
    ok = bk__json_put(result, "backups", list) && ok;
    ok = ok && bk__json_add_int(result, "total", total) &&
         bk__json_add_int(result, "total_bytes", bytes) &&
         bk__json_add_text(result, "dir", folder_of(job));
    return ok ? 0 : bk__fail_memory();
}

/* Those of other tools are counted in any case, so that nobody takes an adopted few for all. */
static int fill_foreign(struct bk__job *job, const struct bk__foreigners *foreign) {
    struct json_object *result = bk__job_result(job);
    int64_t limit = bk__job_int(job, "limit", -1);
    bool ok = bk__json_add_int(result, "foreign_total", (int64_t)foreign->count) &&
              bk__json_add_int(result, "foreign_bytes", foreign->bytes);
    if (ok && bk__job_bool(job, "foreign", false)) {
        struct json_object *list = bk__json_list();
        ok = list != NULL;
        for (size_t i = 0; ok && i < foreign->count; i++) {
            if (limit >= 0 && (int64_t)i >= limit) {
                break;
            }
            struct json_object *shown = bk__foreign_show(&foreign->items[i]);
            ok = shown != NULL && bk__json_append(list, shown);
        }
        ok = bk__json_put(result, "foreign", list) && ok;
    }
    return ok ? 0 : bk__fail_memory();
}

int bk__backup_list(struct bk__job *job) {
    struct bk__catalogue catalogue = {0};
    struct bk__foreigners foreign = {0};
    if (bk__job_int(job, "limit", 0) < 0) {
        return bk__fail(BK_EINVAL,
                        "\"limit\" cannot be negative. Leave it out to list all.");
    }
    int rc = bk__catalogue_load(folder_of(job), &catalogue);
    if (rc == 0) {
        rc = fill_list(job, &catalogue);
    }
    if (rc == 0) {
        rc = bk__foreign_list(job, &catalogue, &foreign);
    }
    if (rc == 0) {
        rc = fill_foreign(job, &foreign);
    }
    bk__foreign_free(&foreign);
    bk__catalogue_free(&catalogue);
    return rc;
}

/* ---- status --------------------------------------------------------------------------- */

static bool add_broken(struct json_object *result,
                       const struct bk__catalogue *catalogue) {
    struct json_object *list = bk__json_list();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < catalogue->broken_count; i++) {
        struct json_object *entry = bk__json_object();
        ok = entry != NULL &&
             bk__json_add_text(entry, "name", catalogue->broken[i].name) &&
             bk__json_add_text(entry, "error", catalogue->broken[i].why);
        ok = bk__json_append(list, entry) && ok;
    }
    return bk__json_put(result, "broken", list) && ok;
}

/* When the next automatic backup is due: what the schedule noted, else what the expression says,
   else counted from the last one. A last one in the future (the clock was set back) counts as
   now. */
static int64_t next_due(struct bk__job *job, const struct bk__catalogue *catalogue) {
    const struct bk__config *config = bk__job_config(job);
    bool by_cron = bk__config_text(config, BK__OPT_BACKUP_CRON)[0] != '\0';
    int64_t now = bk__job_wall(job);
    int64_t due = bk__job_next_due(job, "backup.create");
    due = due < 0 && by_cron ? bk__calendar_due_after(config, now) : due;
    for (size_t i = 0; due < 0 && i < catalogue->count; i++) {
        const struct bk__manifest *item = &catalogue->items[i];
        if (strcmp(item->kind, "auto") == 0) {
            int64_t last = item->created_ms < now ? item->created_ms : now;
            due = bk__calendar_due_after(config, last);
        }
    }
    return due < 0 ? now : due;
}

static bool add_stamp(struct json_object *to, const char *name, bool known,
                      int64_t unix_ms) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(unix_ms, stamp);
    return bk__json_add_text(to, name, known ? stamp : NULL);
}

/* Text or null. */
static bool add_set(struct json_object *to, const char *name, const char *value) {
    return bk__json_add_text(to, name, value[0] != '\0' ? value : NULL);
}

static bool add_leader(struct bk__job *job, struct json_object *result) {
    struct bk__keeper *k = bk__job_keeper(job);
    int pid = bk__keeper_leader_pid(k);
    return bk__json_add_bool(result, "leader", bk__keeper_leads(k)) &&
           (pid > 0 ? bk__json_add_int(result, "leader_pid", pid)
                    : bk__json_put(result, "leader_pid", NULL));
}

static bool add_settings(struct bk__job *job, struct json_object *result) {
    const struct bk__config *config = bk__job_config(job);
    return bk__json_add_bool(result, "enabled",
                             bk__config_bool(config, BK__OPT_BACKUP_ENABLED)) &&
           bk__json_add_number(result, "every_hours",
                               bk__config_number(config, BK__OPT_BACKUP_EVERY)) &&
           add_set(result, "cron", bk__config_text(config, BK__OPT_BACKUP_CRON)) &&
           add_set(result, "timezone",
                   bk__config_text(config, BK__OPT_BACKUP_TIMEZONE)) &&
           add_leader(job, result) &&
           bk__json_add_int(result, "keep",
                            bk__config_int(config, BK__OPT_BACKUP_KEEP)) &&
           bk__json_add_int(result, "keep_days",
                            bk__config_int(config, BK__OPT_BACKUP_KEEP_DAYS)) &&
           bk__json_add_int(result, "keep_daily",
                            bk__config_int(config, BK__OPT_BACKUP_KEEP_DAILY)) &&
           bk__json_add_int(result, "keep_weekly",
                            bk__config_int(config, BK__OPT_BACKUP_KEEP_WEEKLY)) &&
           bk__json_add_int(result, "keep_monthly",
                            bk__config_int(config, BK__OPT_BACKUP_KEEP_MONTHLY)) &&
           bk__json_add_text(result, "dir", folder_of(job)) &&
           bk__json_add_text(result, "isolation",
                             bk__keeper_isolation(bk__job_keeper(job)));
}

static bool add_oldest(struct json_object *result,
                       const struct bk__catalogue *catalogue) {
    struct json_object *oldest = NULL;
    if (catalogue->count > 0) {
        oldest = bk__manifest_show(&catalogue->items[catalogue->count - 1], true);
        if (oldest == NULL) {
            return false;
        }
    }
    return bk__json_put(result, "oldest", oldest);
}

static bool add_catalogue(struct bk__job *job, struct json_object *result,
                          const struct bk__catalogue *catalogue) {
    const struct bk__config *config = bk__job_config(job);
    bool planned = bk__calendar_due_after(config, bk__job_wall(job)) >= 0;
    struct json_object *newest =
        catalogue->count > 0 ? bk__manifest_show(&catalogue->items[0], true) : NULL;
    return (newest != NULL || catalogue->count == 0) &&
           bk__json_put(result, "newest", newest) && add_oldest(result, catalogue) &&
           bk__json_add_int(result, "total", (int64_t)catalogue->count) &&
           bk__json_add_int(result, "total_bytes", total_bytes(catalogue)) &&
           bk__json_add_bool(result, "encrypts", bk__encryption_wanted(config)) &&
           add_stamp(result, "next_due_at", planned,
                     planned ? next_due(job, catalogue) : 0) &&
           add_broken(result, catalogue);
}

static bool add_record(struct bk__job *job, struct json_object *record,
                       const struct bk__catalogue *catalogue) {
    struct json_object *result = bk__job_result(job);
    const struct bk__manifest *newest = bk__set_newest(job, catalogue);
    const char *last = bk__json_text(record, "last_success_at", NULL);
    bool ok = last != NULL ? bk__json_add_text(result, "last_success_at", last)
                           : add_stamp(result, "last_success_at", newest != NULL,
                                       newest != NULL ? newest->created_ms : 0);
    struct json_object *failure = bk__json_member(record, "last_failure");
    struct json_object *rehearsal = bk__json_member(record, "rehearsal");
    bool failed = json_object_is_type(failure, json_type_object);
    bool rehearsed = json_object_is_type(rehearsal, json_type_object);
    return ok &&
           bk__json_add_bool(result, "failing",
                             bk__json_bool(record, "failing", false)) &&
           bk__json_put(result, "last_failure",
                        failed ? json_object_get(failure) : NULL) &&
           bk__json_put(result, "rehearsal",
                        rehearsed ? json_object_get(rehearsal) : NULL) &&
           bk__json_put(result, "metrics", bk__record_metrics(record));
}

/* Until when the bot's data is known to be in a backup that was read back: when the newest verified
   one was made, or when it was last found to be still what the database holds. */
static bool add_verified(struct bk__job *job, struct json_object *record,
                         const struct bk__catalogue *catalogue) {
    struct json_object *result = bk__job_result(job);
    const struct bk__manifest *newest = bk__set_newest(job, catalogue);
    int64_t checked_ms = 0;
    int64_t at = newest == NULL ? 0 : newest->created_ms;
    struct json_object *state = bk__json_member(record, BK__RECORD_STATE);
    const char *checked = bk__json_text(record, "last_checked_at", NULL);
    bool same = newest != NULL && checked != NULL && state != NULL &&
                bk__name_same_stem(bk__json_text(state, "name", ""), newest->name) &&
                bk__stamp_parse(checked, &checked_ms);
    return add_stamp(result, "unchanged_since", same, at) &&
           bk__json_add_text(result, "last_checked_at", checked) &&
           add_stamp(result, "last_verified_at", newest != NULL, same ? checked_ms : at);
}

/* Free bytes where the folder is, or will be made; null where nothing can be asked. */
static bool add_space(struct bk__job *job, struct json_object *result) {
    int64_t free_bytes = 0;
    int64_t total = 0;
    char *dir = strdup(folder_of(job));
    while (dir != NULL && bk__file_space(dir, &free_bytes, &total) == -ENOENT) {
        char *above = bk__file_dir(dir);
        bool top = above == NULL || strcmp(above, dir) == 0;
        free(dir);
        dir = above;
        if (top) {
            break;
        }
    }
    bool ok = dir != NULL;
    free(dir);
    if (total == 0) {
        return ok && bk__json_put(result, "free_bytes", NULL);
    }
    return ok && bk__json_add_int(result, "free_bytes", free_bytes);
}

static int add_staged(struct bk__job *job, struct json_object *result) {
    struct bk__stage stage;
    int rc = bk__stage_load(job, &stage);
    if (rc < 0 && rc != BK_ECORRUPT) {
        return rc;
    }
    /* An intent that cannot be read still waits; bk_open() will say what is wrong with it. */
    const char *name = rc == 1 ? stage.name : rc == 0 ? NULL : "";
    return bk__json_add_text(result, "staged", name) ? 0 : bk__fail_memory();
}

static int fill_status(struct bk__job *job, const struct bk__catalogue *catalogue,
                       struct json_object *record) {
    struct json_object *result = bk__job_result(job);
    if (!add_settings(job, result) || !add_catalogue(job, result, catalogue) ||
        !add_record(job, record, catalogue) || !add_verified(job, record, catalogue) ||
        !add_space(job, result)) {
        return bk__fail_memory();
    }
    return add_staged(job, result);
}

int bk__backup_status(struct bk__job *job) {
    struct bk__catalogue catalogue = {0};
    struct json_object *record = bk__record_load(job);
    int rc = record == NULL ? BK_ENOMEM : bk__catalogue_load(folder_of(job), &catalogue);
    if (rc == 0) {
        rc = fill_status(job, &catalogue, record);
    }
    bk__catalogue_free(&catalogue);
    json_object_put(record);
    return rc;
}
