/*
 * The check "backup": how old the newest proven backup is, and how the last ones went. Asked of the
 * operation backup.status, judged and kept on the board. Not the disks: disks.c. snapshot.c calls it.
 */
#include <health/measure.h>

#include <stdio.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/operations.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS 3600000
#define SLACK_MS (5 * MINUTE_MS) /* clocks are set right all the time */
#define TEXT 512

/* What is known, and where the sentence is built. */
struct look {
    struct bk__job *job;
    struct json_object *status; /* of backup.status */
    char text[TEXT];
};

static struct bk__finding degraded(const char *code, const char *message) {
    return (struct bk__finding){"backup", BK__DEGRADED, code, message, NULL};
}

static bool failed_last(struct look *look) {
    struct json_object *failure = bk__json_member(look->status, "last_failure");
    snprintf(look->text, TEXT, "The last backup failed: %s",
             bk__json_text(failure, "message", ""));
    return bk__json_bool(look->status, "failing", false);
}

/* How long the bot has gone without: since it was opened, or since a backup was due that nobody made
   (what the schedule noted outlives the process). */
static int64_t waited(struct look *look) {
    int64_t opened = bk__keeper_opened_mono(bk__job_keeper(look->job));
    int64_t age = opened == 0 ? 0 : bk__job_mono(look->job) - opened;
    int64_t due = bk__job_next_due(look->job, "backup.create");
    int64_t late = due < 0 ? 0 : bk__job_wall(look->job) - due;
    return late > age ? late : age;
}

/* A bot that has never had a backup may be a new one: it has as long as an old one. So has one whose
   last backup lies ahead, because the clock was wrong then: its age is not known. */
static bool too_old(struct look *look) {
    const struct bk__config *config = bk__job_config(look->job);
    const char *last = bk__json_text(look->status, "last_verified_at", "");
    int64_t now = bk__job_wall(look->job);
    int64_t at_ms = 0;
    bool known = bk__stamp_parse(last, &at_ms);
    if (known && at_ms <= now + SLACK_MS) {
        int64_t stale = bk__calendar_stale_at(config, at_ms);
        snprintf(look->text, TEXT, "No verified backup for %lld h (since %s)",
                 (long long)((now - at_ms) / HOUR_MS), last);
        return stale >= 0 && now > stale;
    }
    if (known) {
        snprintf(look->text, TEXT,
                 "The newest verified backup is from %s, which lies ahead: the clock was "
                 "wrong then, or is now",
                 last);
    } else {
        snprintf(look->text, TEXT, "There is no verified backup at all");
    }
    int64_t stale = bk__calendar_stale_at(config, now - waited(look));
    return stale >= 0 && now > stale;
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

/* What has gone wrong for so long. */
static void add_failure(struct look *look) {
    size_t used = strlen(look->text);
    struct json_object *failure = bk__json_member(look->status, "last_failure");
    if (bk__json_bool(look->status, "failing", false)) {
        snprintf(look->text + used, TEXT - used, ". The last attempt failed: %s",
                 bk__json_text(failure, "message", ""));
    }
}

/* The worst first: that there is none for a day is told also where each failure was. */
static struct bk__finding judge(struct look *look) {
    if (too_old(look)) {
        add_failure(look);
        return degraded("backup_old", look->text);
    }
    if (failed_last(look)) {
        return degraded("backup_failed", look->text);
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
