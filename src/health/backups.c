/*
 * The check "backup": how old the newest proven backup is, and how the last ones went. Asked of the
 * operation backup.status, judged and kept on the board. Not the disks: disks.c. snapshot.c calls it.
 */
#include <health/measure.h>

#include <stdio.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/operations.h>

#define MINUTE_MS 60000
#define HOUR_MS 3600000
#define TEXT 256

/* What is known, and where the sentence is built. */
struct look {
    struct bk__job *job;
    struct json_object *status; /* of backup.status */
    char text[TEXT];
};

static struct bk__finding degraded(const char *code, const char *message) {
    return (struct bk__finding){"backup", BK__DEGRADED, code, message, NULL};
}

static bool is_since(struct json_object *status, const char *name, int64_t failed_ms) {
    int64_t at_ms = 0;
    return bk__stamp_parse(bk__json_text(status, name, ""), &at_ms) && at_ms >= failed_ms;
}

/* Whether the last attempt failed: a success since then has mended it, or a check that found nothing
   changed since the newest backup. */
static bool failed_last(struct look *look) {
    struct json_object *failure = bk__json_member(look->status, "last_failure");
    int64_t failed_ms = 0;
    if (failure == NULL ||
        !bk__stamp_parse(bk__json_text(failure, "at", ""), &failed_ms)) {
        return false;
    }
    if (is_since(look->status, "last_success_at", failed_ms) ||
        is_since(look->status, "last_verified_at", failed_ms)) {
        return false;
    }
    snprintf(look->text, TEXT, "The last backup failed: %s",
             bk__json_text(failure, "message", ""));
    return true;
}

/* A bot that has never had a backup may be a new one: it has as long as an old one. */
static bool too_old(struct look *look) {
    double hours =
        bk__config_number(bk__job_config(look->job), BK__OPT_HEALTH_BACKUP_AGE);
    int64_t at_ms = 0;
    int64_t age = 0;
    bool known =
        bk__stamp_parse(bk__json_text(look->status, "last_verified_at", ""), &at_ms);
    if (known) {
        age = bk__job_wall(look->job) - at_ms;
        snprintf(look->text, TEXT, "No verified backup for %lld h (more than %g h)",
                 (long long)(age / HOUR_MS), hours);
    } else {
        int64_t opened = bk__keeper_opened_mono(bk__job_keeper(look->job));
        age = opened == 0 ? 0 : bk__job_mono(look->job) - opened;
        snprintf(look->text, TEXT, "There is no verified backup at all");
    }
    return hours > 0 && (double)age > hours * HOUR_MS;
}

static bool rehearsal_failed(struct look *look) {
    struct json_object *rehearsal = bk__json_member(look->status, "rehearsal");
    if (rehearsal == NULL || bk__json_bool(rehearsal, "ok", true)) {
        return false;
    }
    snprintf(look->text, TEXT, "The last rehearsal of a restore failed: %s",
             bk__json_text(rehearsal, "error", ""));
    return true;
}

static bool too_slow(struct look *look) {
    double minutes =
        bk__config_number(bk__job_config(look->job), BK__OPT_HEALTH_BACKUP_SLOW);
    struct json_object *metrics = bk__json_member(look->status, "metrics");
    double took = bk__json_number(metrics, "backup_duration_seconds", 0) / 60;
    snprintf(look->text, TEXT, "The last backup took %.0f minutes (more than %g)", took,
             minutes);
    return minutes > 0 && took > minutes;
}

static struct bk__finding judge(struct look *look) {
    if (failed_last(look)) {
        return degraded("backup_failed", look->text);
    }
    if (too_old(look)) {
        return degraded("backup_old", look->text);
    }
    if (rehearsal_failed(look)) {
        return degraded("rehearsal_failed", look->text);
    }
    if (too_slow(look)) {
        return degraded("backup_slow", look->text);
    }
    return (struct bk__finding){"backup", BK__HEALTHY, NULL, "Backups are made", NULL};
}

/* Backups that nobody planned are nobody's failure. */
static bool is_planned(struct json_object *status) {
    return bk__json_bool(status, "enabled", false) &&
           bk__json_text(status, "next_due_at", NULL) != NULL;
}

int bk__health_backups(struct bk__job *job) {
    struct look look = {.job = job};
    struct bk__health_board *board = bk__health_board_of(bk__job_keeper(job));
    int error = bk__job_call(job, "backup.status", NULL, &look.status);
    if (error == BK_ECANCELLED || error == BK_ENOMEM) {
        return error;
    }
    if (error) {
        snprintf(look.text, TEXT, "The backups cannot be looked at: %s",
                 bk__error_text());
        struct bk__finding blind = degraded("backup_unknown", look.text);
        bk__health_board_backup(board, &blind);
        return 0;
    }
    struct bk__finding finding = judge(&look);
    bk__health_board_backup(board, is_planned(look.status) ? &finding : NULL);
    json_object_put(look.status);
    return 0;
}
