/*
 * The list of what other tools made: in order, with what is known of each.
 * Not finding it (scan.c), not what is inside (examine.c).
 * Called by list.c, verify.c, restore.c, adopt.c and look.c.
 */
#include <backup/foreign/foreign.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/zone.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/job.h>
#include <backup/catalogue/catalogue.h>
#include <backup/foreign/memo.h>
#include <backup/foreign/scan.h>

const char *const bk__foreign_states[] = {[BK__UNKNOWN] = "unknown",
                                          [BK__WHOLE] = "whole",
                                          [BK__TORN] = "torn",
                                          [BK__UNSUPPORTED] = "unsupported",
                                          NULL};

void bk__foreign_clear(struct bk__foreign *foreign) {
    free(foreign->name);
    free(foreign->path);
    free(foreign->link);
    free(foreign->error);
    memset(foreign, 0, sizeof *foreign);
}

void bk__foreign_free(struct bk__foreigners *list) {
    for (size_t i = 0; i < list->count; i++) {
        bk__foreign_clear(&list->items[i]);
    }
    free(list->items);
    memset(list, 0, sizeof *list);
}

static int by_time(const void *left, const void *right) {
    const struct bk__foreign *a = left;
    const struct bk__foreign *b = right;
    if (a->time_ms != b->time_ms) {
        return a->time_ms > b->time_ms ? -1 : 1;
    }
    return strcmp(b->name, a->name);
}

static void note_adopted(struct bk__foreigners *list,
                         const struct bk__catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct bk__manifest *ours = &catalogue->items[i];
        struct bk__foreign *from =
            ours->adopted == NULL ? NULL : bk__foreign_find(list, ours->adopted);
        if (from != NULL && from->adopted[0] == '\0') {
            memcpy(from->adopted, ours->name, sizeof from->adopted);
        }
    }
}

/* In the zone that was set; where none was, each file tells. */
static int set_times(struct bk__job *job, struct bk__foreigners *list) {
    const struct bk__config *config = bk__job_config(job);
    struct bk__zone *zone = NULL;
    bool set = strcmp(bk__config_source(config, BK__OPT_BACKUP_TIMEZONE), "default") != 0;
    int rc = set ? bk__calendar_zone(config, &zone) : 0;
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        struct bk__foreign *item = &list->items[i];
        item->time_ms = item->guess.has_time ? bk__moment_instant(&item->guess.moment,
                                                                  zone, item->changed_ms)
                                             : item->changed_ms;
    }
    bk__zone_free(zone);
    return rc;
}

static int find_all(struct bk__job *job, const struct bk__catalogue *catalogue,
                    struct bk__foreigners *list) {
    const struct bk__config *config = bk__job_config(job);
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    bool is_file = database[0] != '\0' && strstr(database, "://") == NULL;
    int rc = bk__foreign_scan(bk__config_text(config, BK__OPT_BACKUP_DIR),
                              is_file ? database : NULL, catalogue, list);
    if (rc == 0) {
        rc = set_times(job, list);
    }
    if (rc == 0 && list->count > 0) {
        qsort(list->items, list->count, sizeof *list->items, by_time);
        note_adopted(list, catalogue);
        rc = bk__memo_recall(job, list);
    }
    return rc;
}

int bk__foreign_list(struct bk__job *job, const struct bk__catalogue *catalogue,
                     struct bk__foreigners *ret) {
    struct bk__foreigners list = {0};
    int rc = find_all(job, catalogue, &list);
    if (rc != 0) {
        bk__foreign_free(&list);
        return rc;
    }
    *ret = list;
    return 0;
}

struct bk__foreign *bk__foreign_find(const struct bk__foreigners *list,
                                     const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        struct bk__foreign *item = &list->items[i];
        if (strcmp(item->name, name) == 0 ||
            (item->link != NULL && strcmp(item->link, name) == 0)) {
            return item;
        }
    }
    return NULL;
}

/* ---- showing ------------------------------------------------------------------------------ */

static bool add_stamp(struct json_object *to, const char *name, int64_t unix_ms) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(unix_ms, stamp);
    return bk__json_add_text(to, name, stamp);
}

static const char *error_of(const struct bk__foreign *foreign) {
    return foreign->error != NULL       ? foreign->error
           : foreign->state == BK__TORN ? "it is empty: zero bytes"
                                        : NULL;
}

struct json_object *bk__foreign_show(const struct bk__foreign *foreign) {
    const struct bk__guess *guess = &foreign->guess;
    struct json_object *to = bk__json_object();
    bool ok =
        to != NULL && bk__json_add_text(to, "name", foreign->name) &&
        bk__json_add_text(to, "format", bk__content_names[guess->content]) &&
        bk__json_add_text(to, "tool", guess->tool) &&
        bk__json_add_int(to, "bytes", foreign->bytes) &&
        add_stamp(to, "created_at", foreign->time_ms) &&
        bk__json_add_text(to, "time_from", guess->has_time ? "name" : "file") &&
        bk__json_add_text(to, "state", bk__foreign_states[foreign->state]) &&
        bk__json_add_text(to, "adopted",
                          foreign->adopted[0] != '\0' ? foreign->adopted : NULL) &&
        (foreign->checked_ms == 0 || add_stamp(to, "checked_at", foreign->checked_ms)) &&
        (error_of(foreign) == NULL ||
         bk__json_add_text(to, "error", error_of(foreign))) &&
        (foreign->link == NULL || bk__json_add_text(to, "link", foreign->link));
    if (ok) {
        return to;
    }
    json_object_put(to);
    return NULL;
}
