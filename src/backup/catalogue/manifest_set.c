/*
 * The part of a manifest that only sets have: their stores, each a manifest in itself, and the
 * members that readers of the older form look for.
 * Not what all backups have alike: manifest.c, which calls this.
 */
#include <backup/catalogue/manifest_set.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>

#define ERROR_LIMIT 65536

static const char *const about_members[] = {"system", "config", NULL};

bool bk__manifest_is_partial(const struct bk__manifest *set) {
    for (size_t i = 0; i < set->part_count; i++) {
        if (set->parts[i].name[0] == '\0') {
            return true;
        }
    }
    return false;
}

int64_t bk__manifest_skew(const struct bk__manifest *set) {
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < set->part_count; i++) {
        int64_t at = set->parts[i].created_ms;
        if (set->parts[i].name[0] != '\0') {
            first = at < first ? at : first;
            last = at > last ? at : last;
        }
    }
    return first < last ? last - first : 0;
}

const struct bk__manifest *bk__manifest_part(const struct bk__manifest *set,
                                             const char *store) {
    for (size_t i = 0; i < set->part_count; i++) {
        const struct bk__manifest *part = &set->parts[i];
        if (part->name[0] != '\0' && (store == NULL || strcmp(part->part, store) == 0)) {
            return part;
        }
    }
    return NULL;
}

/* ---- printing ------------------------------------------------------------------------- */

static bool add_stamp(struct json_object *object, const char *name, int64_t unix_ms) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(unix_ms, stamp);
    return bk__json_add_text(object, name, stamp);
}

/* A store of a set, or what became of it. */
static struct json_object *show_part(const struct bk__manifest *part, int depth) {
    struct json_object *to = bk__json_object();
    bool good = to != NULL && bk__json_add_text(to, "store", part->part) &&
                bk__json_add_text(to, "driver", part->store);
    if (good && part->name[0] == '\0') {
        good = bk__json_add_text(to, "error", part->error);
    } else if (good) {
        good = add_stamp(to, "snapshot_at", part->created_ms) &&
               bk__manifest_add(to, part, depth);
    }
    if (good) {
        return to;
    }
    json_object_put(to);
    return NULL;
}

/* What readers of the form that the set's layout comes from look for. */
static bool show_legacy(struct json_object *to, const struct bk__manifest *m) {
    char stem[BK__NAME_SIZE];
    bk__name_stem(m->name, stem);
    bool ok = bk__json_add_text(to, "backupId", stem) &&
              add_stamp(to, "timestamp", m->created_ms) &&
              bk__json_add_text(to, "version", "1.0");
    for (size_t i = 0; ok && i < m->part_count; i++) {
        const struct bk__manifest *part = &m->parts[i];
        ok = bk__json_add_text(to, part->part, part->name[0] != '\0' ? part->name : NULL);
    }
    for (size_t i = 0; ok && about_members[i] != NULL; i++) {
        struct json_object *member = bk__json_member(m->about, about_members[i]);
        ok =
            member == NULL || bk__json_put(to, about_members[i], json_object_get(member));
    }
    return ok;
}

bool bk__manifest_add_set(struct json_object *to, const struct bk__manifest *m,
                          int depth) {
    struct json_object *list = bk__json_list();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < m->part_count; i++) {
        struct json_object *part = show_part(&m->parts[i], depth);
        ok = part != NULL && bk__json_append(list, part);
    }
    ok = bk__json_put(to, "stores", list) && ok;
    return ok &&
           bk__json_add_text(to, "status",
                             bk__manifest_is_partial(m) ? "partial" : "complete") &&
           bk__json_add_int(to, "skew_ms", bk__manifest_skew(m)) &&
           (depth < 2 || show_legacy(to, m));
}

/* ---- reading -------------------------------------------------------------------------- */

/* A short text of a store that failed, or of one that did not; false: it is none. */
static bool copy_text(struct json_object *object, const char *name, char *out,
                      size_t room) {
    const char *text = bk__json_text(object, name, "");
    snprintf(out, room, "%s", text);
    return *text != '\0' && strlen(text) < room;
}

/* A store of a set: a backup of its own, or one that failed. */
static bool read_part(struct json_object *object, const struct bk__manifest *set,
                      struct bk__manifest *part, char *why, size_t why_room) {
    snprintf(why, why_room, "\"stores\" holds something that is no store");
    if (!copy_text(object, "store", part->part, sizeof part->part) ||
        part->part[strspn(part->part, "abcdefghijklmnopqrstuvwxyz")] != '\0' ||
        !copy_text(object, "driver", part->store, sizeof part->store)) {
        return false;
    }
    snprintf(part->set, sizeof part->set, "%s", set->name);
    if (bk__json_member(object, "name") != NULL) {
        return bk__manifest_read(object, set, part, why, why_room);
    }
    const char *error = bk__json_text(object, "error", "");
    part->error = strlen(error) < ERROR_LIMIT && *error != '\0' ? strdup(error) : NULL;
    return part->error != NULL;
}

static bool read_about(struct json_object *object, struct bk__manifest *set) {
    set->about = bk__json_object();
    bool ok = set->about != NULL;
    for (size_t i = 0; ok && about_members[i] != NULL; i++) {
        struct json_object *member = bk__json_member(object, about_members[i]);
        ok = member == NULL ||
             bk__json_put(set->about, about_members[i], json_object_get(member));
    }
    return ok;
}

/* What a packed tar holds is not packed before: reading relies on it. */
static bool is_packed_twice(const struct bk__manifest *set) {
    bool twice = false;
    for (size_t i = 0; i < set->part_count; i++) {
        const struct bk__form *form = &set->parts[i].form;
        twice = twice || form->compression != BK__PLAIN || form->encrypted;
    }
    return twice && set->form.compression != BK__PLAIN;
}

/* No store twice, and one at least that did not fail. */
static bool is_sensible(const struct bk__manifest *set) {
    size_t named = 0;
    for (size_t i = 0; i < set->part_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(set->parts[i].part, set->parts[j].part) == 0) {
                return false;
            }
        }
        named += set->parts[i].name[0] != '\0';
    }
    return named > 0;
}

bool bk__manifest_read_set(struct json_object *object, struct bk__manifest *set,
                           char *why, size_t why_room) {
    struct json_object *list = bk__json_member(object, "stores");
    bool is_list = json_object_is_type(list, json_type_array);
    size_t count = is_list ? json_object_array_length(list) : 0;
    snprintf(why, why_room, "\"stores\" is no list of a set's stores");
    if (count == 0 || count > BK__MANIFEST_PARTS) {
        return false;
    }
    set->parts = calloc(count, sizeof *set->parts);
    if (set->parts == NULL || !read_about(object, set)) {
        snprintf(why, why_room, "it does not fit in memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        set->part_count++;
        if (!read_part(json_object_array_get_idx(list, i), set, &set->parts[i], why,
                       why_room)) {
            return false;
        }
    }
    if (is_packed_twice(set)) {
        snprintf(why, why_room, "\"stores\" has a part that is packed twice");
        return false;
    }
    snprintf(why, why_room, "\"stores\" names a store twice, or none that was saved");
    return is_sensible(set);
}
