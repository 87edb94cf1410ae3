/*
 * The record of one run as JSON, and the judgement of how it ended. It asks no clock and no
 * kernel: run.c brings what is so now.
 */
#include <lifecycle/record.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/error.h>
#include <os/file.h>

#define RECORD_LIMIT 65536

static void copy(char *to, size_t room, struct json_object *from, const char *name) {
    snprintf(to, room, "%s", bk__json_text(from, name, ""));
}

static int64_t stamp(struct json_object *from, const char *name) {
    int64_t wall = 0;
    const char *iso = bk__json_text(from, name, NULL);
    return iso && bk__stamp_parse(iso, &wall) ? wall : -1;
}

int bk__run_load(const char *path, struct bk__run_record *ret) {
    char *text = NULL;
    size_t size = 0;
    int err = bk__file_load(path, RECORD_LIMIT, &text, &size);
    if (err < 0) {
        return err == -ENOENT ? BK_ENOTFOUND : BK_ECORRUPT;
    }
    struct json_object *object = bk__json_parse(text, NULL);
    free(text);
    if (!object) {
        return BK_ECORRUPT;
    }
    struct bk__run_record record = {0};
    copy(record.run_id, sizeof record.run_id, object, "run_id");
    copy(record.boot_id, sizeof record.boot_id, object, "boot_id");
    copy(record.version, sizeof record.version, object, "version");
    copy(record.isolation, sizeof record.isolation, object, "isolation");
    copy(record.ended, sizeof record.ended, object, "ended");
    record.pid = (int)bk__json_int(object, "pid", 0);
    record.started_wall = stamp(object, "started_at");
    record.started_mono = bk__json_int(object, "started_mono_ms", 0);
    record.seen_wall = stamp(object, "last_seen_at");
    record.oom_kills = bk__json_int(object, "oom_kills", -1);
    json_object_put(object);
    if (!record.run_id[0] || record.started_wall < 0) {
        return BK_ECORRUPT;
    }
    if (record.seen_wall < record.started_wall) {
        record.seen_wall = record.started_wall;
    }
    *ret = record;
    return 0;
}

static bool add_stamp(struct json_object *object, const char *name, int64_t wall) {
    char iso[BK__STAMP_SIZE];
    bk__stamp_iso(wall, iso);
    return bk__json_add_text(object, name, iso);
}

static char *print(const struct bk__run_record *record) {
    struct json_object *object = bk__json_object();
    char *text = NULL;
    if (object && bk__json_add_text(object, "run_id", record->run_id) &&
        bk__json_add_int(object, "pid", record->pid) &&
        bk__json_add_text(object, "boot_id", record->boot_id) &&
        add_stamp(object, "started_at", record->started_wall) &&
        bk__json_add_int(object, "started_mono_ms", record->started_mono) &&
        add_stamp(object, "last_seen_at", record->seen_wall) &&
        bk__json_add_text(object, "version", record->version) &&
        bk__json_add_text(object, "isolation", record->isolation) &&
        bk__json_add_int(object, "oom_kills", record->oom_kills) &&
        bk__json_add_text(object, "ended", record->ended[0] ? record->ended : NULL)) {
        text = bk__json_print(object);
    }
    json_object_put(object);
    return text;
}

int bk__run_save(const char *path, const struct bk__run_record *record) {
    char *text = print(record);
    if (!text) {
        return bk__fail_memory();
    }
    int err = bk__file_save(path, text, strlen(text));
    free(text);
    return err < 0
               ? bk__fail_errno(err, "cannot save the record of this run in", path,
                                "Data is safe. Make room or give this user the right to "
                                "write there, or set run.track to false.")
               : 0;
}

const char *bk__run_ended(const struct bk__run_record *record, const char *boot_id,
                          int64_t oom_kills) {
    if (strcmp(record->ended, "clean") == 0) {
        return "clean";
    }
    if (!record->boot_id[0] || !boot_id[0]) {
        return "unknown";
    }
    if (strcmp(record->boot_id, boot_id) != 0) {
        return "reboot";
    }
    return record->oom_kills >= 0 && oom_kills > record->oom_kills ? "killed" : "crash";
}

struct json_object *bk__run_summary(const struct bk__run_record *record,
                                    const char *ended) {
    struct json_object *object = bk__json_object();
    if (object && bk__json_add_text(object, "run_id", record->run_id) &&
        add_stamp(object, "started_at", record->started_wall) &&
        bk__json_add_text(object, "ended", ended) &&
        bk__json_add_int(object, "uptime_ms", record->seen_wall - record->started_wall) &&
        add_stamp(object, "last_seen_at", record->seen_wall)) {
        return object;
    }
    json_object_put(object);
    return NULL;
}
