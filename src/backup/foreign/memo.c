/*
 * state.dir/foreign.json: for each foreign backup that was verified its size, time and outcome. A
 * file that changed since is unknown again. Called by foreign.c and examine's callers.
 */
#include <backup/foreign/memo.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define FILE_NAME "foreign.json"
#define LIMIT (16 << 20)

static char *memo_path(struct bk__job *job) {
    return bk__file_join(bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR),
                         FILE_NAME);
}

/* NULL where there is none, or none that can be understood. */
static struct json_object *load(struct bk__job *job) {
    char *text = NULL;
    char *path = memo_path(job);
    struct json_object *memo = NULL;
    if (path != NULL && bk__file_load(path, LIMIT, &text, NULL) == 0) {
        memo = bk__json_parse(text, NULL);
    }
    free(text);
    free(path);
    return memo;
}

static int recall_one(struct bk__foreign *item, struct json_object *entry) {
    if (bk__json_int(entry, "bytes", -1) != item->bytes ||
        bk__json_int(entry, "changed_ms", -1) != item->changed_ms) {
        return 0;
    }
    const char *state = bk__json_text(entry, "state", "");
    const char *error = bk__json_text(entry, "error", NULL);
    bk__content_parse(bk__json_text(entry, "format", ""), &item->guess.content);
    item->checked_ms = bk__json_int(entry, "checked_ms", 0);
    for (int i = 0; bk__foreign_states[i] != NULL; i++) {
        if (strcmp(state, bk__foreign_states[i]) == 0) {
            item->state = (enum bk__foreign_state)i;
        }
    }
    if (error != NULL) {
        item->error = strdup(error);
        return item->error == NULL ? bk__fail_memory() : 0;
    }
    return 0;
}

int bk__memo_recall(struct bk__job *job, struct bk__foreigners *list) {
    struct json_object *memo = load(job);
    int rc = 0;
    for (size_t i = 0; memo != NULL && rc == 0 && i < list->count; i++) {
        struct json_object *entry = bk__json_member(memo, list->items[i].name);
        if (json_object_is_type(entry, json_type_object)) {
            rc = recall_one(&list->items[i], entry);
        }
    }
    json_object_put(memo);
    return rc;
}

static bool add_entry(struct json_object *memo, const struct bk__foreign *item) {
    struct json_object *entry = bk__json_object();
    bool ok =
        entry != NULL && bk__json_add_int(entry, "bytes", item->bytes) &&
        bk__json_add_int(entry, "changed_ms", item->changed_ms) &&
        bk__json_add_text(entry, "state", bk__foreign_states[item->state]) &&
        bk__json_add_text(entry, "format", bk__content_names[item->guess.content]) &&
        bk__json_add_int(entry, "checked_ms", item->checked_ms) &&
        (item->error == NULL || bk__json_add_text(entry, "error", item->error));
    if (!ok) {
        json_object_put(entry);
        return false;
    }
    return bk__json_put(memo, item->name, entry);
}

void bk__memo_save(struct bk__job *job, const struct bk__foreigners *list) {
    struct json_object *memo = bk__json_object();
    bool ok = memo != NULL;
    for (size_t i = 0; ok && i < list->count; i++) {
        ok = list->items[i].checked_ms == 0 || add_entry(memo, &list->items[i]);
    }
    char *text = ok ? bk__json_print(memo) : NULL;
    char *path = memo_path(job);
    if (text == NULL || path == NULL || bk__file_save(path, text, strlen(text)) != 0) {
        bk__job_log(job, "warning",
                    "What was found out about the foreign backups could not be saved.");
    }
    free(text);
    free(path);
    json_object_put(memo);
}
