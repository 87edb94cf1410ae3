/*
 * The file of due times, {"backup.create": {"due_at", "ran_at", "rule", "unfinished"}}. What cannot
 * be read counts as not recorded. Not the reckoning (schedule.c). plan.c calls it.
 */
#include <core/due_record.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/schedule.h>
#include <os/file.h>

#define FILE_LIMIT 65536

static struct json_object *load_file(const char *state_dir) {
    char *path = bk__file_join(state_dir, BK__SCHEDULE_FILE);
    char *text = NULL;
    size_t size = 0;
    struct json_object *file = NULL;
    if (path && bk__file_load(path, FILE_LIMIT, &text, &size) == 0) {
        file = bk__json_parse(text, NULL);
    }
    free(text);
    free(path);
    return file;
}

static int64_t stamp_of(struct json_object *entry, const char *name) {
    const char *iso = entry ? bk__json_text(entry, name, NULL) : NULL;
    int64_t wall = -1;
    return iso && bk__stamp_parse(iso, &wall) ? wall : -1;
}

void bk__due_record_load(const char *state_dir, const char *operation,
                         struct bk__due_record *ret) {
    struct json_object *file = load_file(state_dir);
    struct json_object *entry = file ? bk__json_member(file, operation) : NULL;
    ret->due_wall = stamp_of(entry, "due_at");
    ret->ran_wall = stamp_of(entry, "ran_at");
    snprintf(ret->rule, sizeof ret->rule, "%s",
             entry ? bk__json_text(entry, "rule", "") : "");
    ret->unfinished = entry && bk__json_bool(entry, "unfinished", false);
    json_object_put(file);
}

static struct json_object *entry_of(const struct bk__due_record *record) {
    struct json_object *entry = bk__json_object();
    char due[BK__STAMP_SIZE];
    char ran[BK__STAMP_SIZE];
    bk__stamp_iso(record->due_wall, due);
    bk__stamp_iso(record->ran_wall, ran);
    if (entry && bk__json_add_text(entry, "due_at", due) &&
        (record->ran_wall < 0 || bk__json_add_text(entry, "ran_at", ran)) &&
        (!record->rule[0] || bk__json_add_text(entry, "rule", record->rule)) &&
        (!record->unfinished || bk__json_add_bool(entry, "unfinished", true))) {
        return entry;
    }
    json_object_put(entry);
    return NULL;
}

static int save_text(const char *state_dir, const char *text) {
    char *path = bk__file_join(state_dir, BK__SCHEDULE_FILE);
    int err = path && text ? bk__file_save(path, text, strlen(text)) : -ENOMEM;
    free(path);
    return err;
}

int bk__due_record_save(const char *state_dir, const char *operation,
                        const struct bk__due_record *record) {
    struct json_object *file = load_file(state_dir);
    struct json_object *entry = entry_of(record);
    int err = -ENOMEM;
    file = file ? file : bk__json_object();
    if (file && entry) {
        json_object_object_del(file, operation);
        bool good = bk__json_put(file, operation, entry);
        char *text = good ? bk__json_print(file) : NULL;
        err = save_text(state_dir, text);
        free(text);
    } else {
        json_object_put(entry);
    }
    json_object_put(file);
    return err;
}
