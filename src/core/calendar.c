/*
 * The zone and the cron expression of the options, with errors that name them. The zone's file
 * is read by ourselves, because libc's tzset() changes the host's own idea of the time.
 * bk_open() checks both; plan.c and the backup room use them.
 */
#include <core/calendar.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/civil.h>
#include <base/zone.h>
#include <core/config.h>
#include <core/error.h>
#include <os/file.h>

#define ZONES "/usr/share/zoneinfo"
#define NAME_LIMIT 64
#define FILE_LIMIT (256 * 1024)

/* A name as IANA makes them, never a path out of the folder. */
static bool is_zone_name(const char *name) {
    size_t size = strlen(name);
    bool begins = true; /* a part of the name */
    for (size_t i = 0; i < size; i++) {
        bool letter =
            (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z');
        bool inside = (name[i] >= '0' && name[i] <= '9') || strchr("_+-/", name[i]);
        if (!letter && (begins || !inside)) {
            return false;
        }
        begins = name[i] == '/';
    }
    return size <= NAME_LIMIT && !begins;
}

static int refuse_zone(const struct bk__config *config, const char *why) {
    return bk__fail(
        BK_EINVAL,
        "The option backup.timezone cannot be \"%.100s\" (%s): %s. Nothing was "
        "changed. It takes a name such as Europe/Berlin or UTC.",
        bk__config_text(config, BK__OPT_BACKUP_TIMEZONE),
        bk__config_source(config, BK__OPT_BACKUP_TIMEZONE), why);
}

static int read_zone(const struct bk__config *config, const char *path,
                     struct bk__zone **ret) {
    const char *why = "out of memory";
    char *bytes = NULL;
    size_t size = 0;
    int err = bk__file_load(path, FILE_LIMIT, &bytes, &size);
    if (err == -ENOENT && !bk__file_exists(ZONES)) {
        return refuse_zone(config, "this system has no time zones in " ZONES
                                   "; install the package tzdata");
    }
    if (err == -ENOENT || err == -EISDIR || err == -ENOTDIR) {
        return refuse_zone(config, "there is no such time zone in " ZONES);
    }
    if (err < 0) {
        return bk__fail_errno(err, "cannot read the time zone", path,
                              "Data is safe. Set the option backup.timezone to UTC, or "
                              "install the package tzdata again.");
    }
    *ret = bk__zone_parse(bytes, size, &why);
    free(bytes);
    return *ret ? 0 : refuse_zone(config, why);
}

int bk__calendar_zone(const struct bk__config *config, struct bk__zone **ret) {
    const char *name = bk__config_text(config, BK__OPT_BACKUP_TIMEZONE);
    if (!name[0] || strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        *ret = bk__zone_utc(); /* also where no zone is installed */
        return *ret ? 0 : bk__fail_memory();
    }
    if (!is_zone_name(name)) {
        return refuse_zone(config, "no time zone has such a name");
    }
    char *path = bk__file_join(ZONES, name);
    int code = path ? read_zone(config, path, ret) : bk__fail_memory();
    free(path);
    return code;
}

static int refuse_cron(const struct bk__config *config, const char *why) {
    return bk__fail(
        BK_EINVAL,
        "The option backup.cron cannot be \"%.100s\" (%s): %s. Nothing was "
        "changed. It takes five fields such as \"0 3 * * *\" (daily at 3), or "
        "@daily.",
        bk__config_text(config, BK__OPT_BACKUP_CRON),
        bk__config_source(config, BK__OPT_BACKUP_CRON), why);
}

int bk__calendar_cron(const struct bk__config *config, struct bk__cron *ret) {
    const char *text = bk__config_text(config, BK__OPT_BACKUP_CRON);
    char why[160] = "";
    if (!text[0]) {
        return 0;
    }
    return bk__cron_parse(text, ret, why, sizeof why) ? 1 : refuse_cron(config, why);
}

#define HOUR_MS INT64_C(3600000)

static int64_t due_by_cron(const struct bk__config *config, const struct bk__cron *cron,
                           int64_t wall_ms) {
    struct bk__zone *zone = NULL;
    int64_t second = 0;
    bool found = bk__calendar_zone(config, &zone) == 0 &&
                 bk__cron_next(cron, zone, bk__civil_floor(wall_ms, 1000), &second);
    bk__zone_free(zone);
    return found ? second * 1000 : -1;
}

int64_t bk__calendar_due_after(const struct bk__config *config, int64_t wall_ms) {
    double every = bk__config_number(config, BK__OPT_BACKUP_EVERY);
    struct bk__cron cron;
    if (!bk__config_bool(config, BK__OPT_BACKUP_ENABLED)) {
        return -1;
    }
    if (bk__calendar_cron(config, &cron) == 1) {
        return due_by_cron(config, &cron, wall_ms);
    }
    return every > 0 ? wall_ms + (int64_t)(every * (double)HOUR_MS) : -1;
}

int64_t bk__calendar_stale_at(const struct bk__config *config, int64_t wall_ms) {
    double hours = bk__config_number(config, BK__OPT_HEALTH_BACKUP_AGE);
    const char *source = bk__config_source(config, BK__OPT_HEALTH_BACKUP_AGE);
    int64_t stale = wall_ms + (int64_t)(hours * (double)HOUR_MS);
    int64_t due = bk__calendar_due_after(config, wall_ms);
    bool chosen = strcmp(source, "default") != 0;
    return hours <= 0 ? -1 : chosen || due + HOUR_MS < stale ? stale : due + HOUR_MS;
}

int bk__calendar_check(const struct bk__config *config) {
    struct bk__cron cron;
    struct bk__zone *zone = NULL;
    int64_t first = 0;
    int code = bk__calendar_zone(config, &zone);
    if (code == 0) {
        code = bk__calendar_cron(config, &cron);
    }
    if (code == 1) {
        code = bk__cron_next(&cron, zone, 0, &first)
                   ? 0
                   : refuse_cron(config, "no year has such a day");
    }
    bk__zone_free(zone);
    return code;
}
